"""The recorded arguments decide what a profile does to a recorded call."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seclatch.model.arch import Arch
from seclatch.model.recording.recording import LostCounts, RecordedArgument
from seclatch.profile.generate.arguments.recorded_arguments import ArgumentVerdict, judge_arguments
from seclatch.profile.generate.profile_fit import fit_profile
from seclatch.profile.meaning import rule_meaning
from seclatch.profile.parse.load_profile import parse_profile
from tests.unit.recordings import calls, recording

# As in Docker's default (moby, profiles/seccomp/default.json).
NAMESPACES = 0x7E020000
DOCKER = {
    "clone": [{"index": 0, "value": NAMESPACES, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}],
    "socket": [{"index": 0, "value": 40, "op": "SCMP_CMP_NE"}],
}


def allowing(*rules: tuple[str, list[dict[str, Any]]]) -> Any:
    document = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "syscalls": [
            {"names": [name], "action": "SCMP_ACT_ALLOW", "args": args} for name, args in rules
        ],
    }
    return parse_profile(json.dumps(document), "strict.json")


def passed(name: str, index: int, *values: int, stage: str = "program") -> list[RecordedArgument]:
    return [
        RecordedArgument(stage=stage, arch="x86_64", name=name, index=index, value=value, count=1)
        for value in values
    ]


def held(name: str, values: tuple[int, ...], *, stage: str = "program", **more: Any) -> Any:
    made = recording(
        calls(stage, name, count=len(values)),
        arguments=passed(name, 0, *values, stage=stage),
        **more,
    )
    return fit_profile(made, allowing(*DOCKER.items()), "docker")


@pytest.mark.parametrize(("name", "value"), [("clone", 0x1200011), ("socket", 2)])
def test_an_allowed_argument_is_not_denied(name: str, value: int) -> None:
    found = held(name, (value,))
    assert (found.refused, found.refused_for_some) == ([], [])


@pytest.mark.parametrize(("name", "value"), [("clone", 0x10000011), ("socket", 40)])
def test_a_denied_argument_is_denied_even_beside_allowed_ones(name: str, value: int) -> None:
    found = held(name, (17, value))
    assert (found.refused, found.refused_for_some) == ([name], [])


def test_the_runtime_s_arguments_are_separate() -> None:
    found = held("clone", (0x10000011,), stage="filtered-init")
    assert (found.refused, found.runtime_refused) == ([], ["clone"])
    found = held("clone", (0x1200011,), stage="filtered-init")
    assert (found.runtime_refused, found.runtime_refused_for_some) == ([], [])


def test_values_of_some_calls_decide_nothing() -> None:
    """The recorder's map of arguments was full: the others' values are unknown."""
    made = recording(
        calls("program", "socket", count=3),
        arguments=passed("socket", 0, 2),
        lost=LostCounts(arguments=2),
    )
    found = fit_profile(made, allowing(*DOCKER.items()), "docker")
    assert (found.refused, found.refused_for_some) == ([], ["socket"])


def test_clone3_s_flags_are_invisible_to_seccomp() -> None:
    args = [{"index": 0, "value": 0, "op": "SCMP_CMP_EQ"}]
    made = recording(calls("program", "clone3"), arguments=passed("clone3", 0, 0))
    assert fit_profile(made, allowing(("clone3", args)), "x").refused_for_some == ["clone3"]


def test_a_combination_that_may_not_have_occurred_is_not_reported_as_denied() -> None:
    """socket(2, 1) and socket(16, 3) were issued; socket(2, 3) may not have been."""
    rules = [
        (
            "socket",
            [
                {"index": 0, "value": one, "op": "SCMP_CMP_EQ"},
                {"index": 1, "value": other, "op": "SCMP_CMP_EQ"},
            ],
        )
        for one, other in ((2, 1), (16, 3))
    ]
    arguments = [*passed("socket", 0, 2, 16), *passed("socket", 1, 1, 3)]
    found = fit_profile(
        recording(calls("program", "socket", count=2), arguments=arguments), allowing(*rules), "x"
    )
    assert (found.refused, found.refused_for_some) == ([], ["socket"])


def test_a_hostile_number_of_values_is_not_tried_one_by_one() -> None:
    rules = [("socket", [{"index": 0, "value": n, "op": "SCMP_CMP_EQ"}]) for n in range(700)]
    read = rule_meaning.read_meaning(allowing(*rules), Arch.X86_64)
    assert judge_arguments(read, "socket", {0: frozenset(range(1000))}) is ArgumentVerdict.UNDECIDED


_VALUE = st.integers(0, 5)
_COMPARISON = st.fixed_dictionaries(
    {
        "index": st.integers(0, 2),
        "value": _VALUE,
        "valueTwo": _VALUE,
        "op": st.sampled_from(
            [f"SCMP_CMP_{op}" for op in ("EQ", "NE", "LT", "LE", "GT", "GE", "MASKED_EQ")]
        ),
    }
)


@given(
    st.lists(st.lists(_COMPARISON, min_size=1, max_size=3), min_size=1, max_size=4),
    st.lists(st.tuples(_VALUE, _VALUE, _VALUE), min_size=1, max_size=3),
    st.sets(st.integers(0, 2)),
)
def test_it_never_contradicts_the_issued_calls(
    rules: list[list[dict[str, Any]]], made: list[tuple[int, int, int]], kept: set[int]
) -> None:
    """Rules with one action have no order, so that each call's own verdict is the reference."""
    read = rule_meaning.read_meaning(allowing(*(("socket", args) for args in rules)), Arch.X86_64)
    values = {index: frozenset(call[index] for call in made) for index in kept}
    executed = [read.verdict("socket", (*call, 0, 0, 0)).kind.executes for call in made]
    found = judge_arguments(read, "socket", values)
    if found is ArgumentVerdict.EXECUTED:
        assert all(executed)
    if found is ArgumentVerdict.DENIED:
        assert not all(executed)
    compared = {arg.index for clause in read.clauses("socket") for arg in clause.args}
    if len(made) == 1 and compared <= kept:
        assert found is (ArgumentVerdict.EXECUTED if executed[0] else ArgumentVerdict.DENIED)


def test_all_combinations_of_known_values_allow() -> None:
    rules = [
        (
            "socket",
            [
                {"index": 0, "value": one, "op": "SCMP_CMP_EQ"},
                {"index": 1, "value": other, "op": "SCMP_CMP_EQ"},
            ],
        )
        for one, other in itertools.product((2, 16), (1, 3))
    ]
    read = rule_meaning.read_meaning(allowing(*rules), Arch.X86_64)
    values = {0: frozenset({2, 16}), 1: frozenset({1, 3})}
    assert judge_arguments(read, "socket", values) is ArgumentVerdict.EXECUTED
    assert judge_arguments(read, "socket", {0: frozenset({2, 16})}) is ArgumentVerdict.UNDECIDED
    assert judge_arguments(read, "socket", {0: frozenset({2, 7})}) is ArgumentVerdict.DENIED
