"""Every place that breaks the format is found, and nothing else."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seclatch.errors import InputError
from seclatch.profile.document_errors import MAX_FAULTS, find_faults
from seclatch.profile.parse.load_profile import parse_profile
from seclatch.profile.parse.text_position import Path

VALID: dict[str, Any] = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "defaultErrnoRet": 1,
    "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
    "flags": ["SECCOMP_FILTER_FLAG_LOG"],
    "syscalls": [
        {
            "names": ["read", "write"],
            "action": "SCMP_ACT_ALLOW",
            "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}],
        },
        {
            "names": ["close"],
            "action": "SCMP_ACT_ERRNO",
            "errnoRet": 5,
            "includes": {"minKernel": "4.8"},
        },
    ],
}

# A value by its path, and an invalid value for it.
BREAKS: list[tuple[Path, Any]] = [
    (("defaultAction",), "SCMP_ACT_NO"),
    (("defaultErrnoRet",), 1 << 20),
    (("architectures", 1), "SCMP_ARCH_Z80"),
    (("flags", 0), "NO_FLAG"),
    (("syscalls", 0, "action"), 7),
    (("syscalls", 0, "names", 1), "two words"),
    (("syscalls", 0, "args", 0, "index"), 6),
    (("syscalls", 0, "args", 0, "op"), "SCMP_CMP_IS"),
    (("syscalls", 1, "errnoRet"), -1),
    (("syscalls", 1, "includes", "minKernel"), "new"),
]


def broken(chosen: list[tuple[Path, Any]]) -> str:
    document = copy.deepcopy(VALID)
    for path, value in chosen:
        holder: Any = document
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] = value
    return json.dumps(document, indent=1)


@given(st.lists(st.sampled_from(BREAKS), unique_by=lambda each: each[0]))
def test_each_broken_value_is_found(chosen: list[tuple[Path, Any]]) -> None:
    text = broken(chosen)
    found = find_faults(text, "x")
    assert {each.where.path for each in found} == {path for path, _ in chosen}
    assert [each.where.line for each in found] == sorted(each.where.line for each in found)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["defaultAction", "syscalls", "names", "action", "Args", "args", "op"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(_JSON)
def test_any_value(value: Any) -> None:
    """An unreadable document has errors, or none with a position; a readable one has none."""
    text = json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": value})
    found = find_faults(text, "x")
    assert len(found) <= MAX_FAULTS
    if not found:
        parse_profile(text, "x")
        return
    with pytest.raises(InputError):
        parse_profile(text, "x")


def test_a_hostile_number_of_faults() -> None:
    rules = [{"names": ["read"], "action": "no"}] * 1000
    text = json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": rules})
    assert len(find_faults(text, "x")) == MAX_FAULTS


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "a: [", "\0"])
def test_no_document(text: str) -> None:
    assert len(find_faults(text, "x")) <= 1
