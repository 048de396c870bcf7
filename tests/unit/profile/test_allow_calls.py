"""A profile's text is changed where it denies a call, and nowhere else."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seclatch.profile.edit.allow_calls import edit_profile_text
from seclatch.profile.parse.load_profile import parse_profile

DENYING = """{
  "defaultAction": "SCMP_ACT_ALLOW",
  "syscalls": [
    {
      "names": ["acct", "mkdir",
                "mkdirat"],
      "action": "SCMP_ACT_ERRNO"
    },
    {"names": ["swapon"], "action": "SCMP_ACT_KILL"}
  ]
}
"""


def test_a_name_goes_and_the_layout_stays() -> None:
    edit = edit_profile_text(DENYING, "p.json", ["mkdir"])
    assert edit.text == DENYING.replace('"mkdir",\n                ', "")
    [(rule, place)] = edit.removed
    assert (rule, place.line, edit.added) == (0, 5, None)


def test_the_last_name_goes_with_its_comma() -> None:
    edit = edit_profile_text(DENYING, "p.json", ["mkdirat"])
    assert edit.text == DENYING.replace(',\n                "mkdirat"', "")


def test_a_rule_without_a_name_left_goes() -> None:
    edit = edit_profile_text(DENYING, "p.json", ["swapon"])
    assert [rule["names"] for rule in json.loads(edit.text)["syscalls"]] == [
        ["acct", "mkdir", "mkdirat"]
    ]


def test_several_calls_of_one_rule() -> None:
    edit = edit_profile_text(DENYING, "p.json", ["acct", "mkdir", "mkdirat", "swapon"])
    assert json.loads(edit.text)["syscalls"] == []
    assert [rule for rule, _ in edit.removed] == [0, 0, 0, 1]


@pytest.mark.parametrize(
    "rules",
    ["", ', "syscalls": []', ', "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]'],
)
def test_a_rule_is_added_where_the_default_denies(rules: str) -> None:
    text = f'{{"defaultAction": "SCMP_ACT_ERRNO"{rules}}}'
    edit = edit_profile_text(text, "p.json", ["keyctl"])
    assert json.loads(edit.text)["syscalls"][-1] == edit.added
    assert edit.added == {"names": ["keyctl"], "action": "SCMP_ACT_ALLOW"}


def test_in_a_bundle_s_configuration() -> None:
    text = json.dumps({"process": {}, "linux": {"seccomp": json.loads(DENYING), "x": 1}}, indent=1)
    edit = edit_profile_text(text, "config.json", ["mkdir"])
    config = json.loads(edit.text)
    assert config["linux"]["seccomp"]["syscalls"][0]["names"] == ["acct", "mkdirat"]
    assert (config["process"], config["linux"]["x"]) == ({}, 1)


def test_an_answer_in_place_of_a_denial() -> None:
    rule = {"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}
    edit = edit_profile_text(DENYING, "p.json", ["acct"], {**rule, "names": ["acct"]})
    assert json.loads(edit.text)["syscalls"][-1]["errnoRet"] == 38


NAMES = st.lists(st.sampled_from(["mkdir", "acct", "swapon", "read", "mount"]), min_size=1)


@given(
    st.lists(st.tuples(NAMES, st.sampled_from(["SCMP_ACT_ERRNO", "SCMP_ACT_ALLOW"])), max_size=4),
    st.sampled_from(["SCMP_ACT_ERRNO", "SCMP_ACT_ALLOW"]),
    st.sampled_from([None, 1, 2]),
)
def test_only_the_call_changes(
    rules: list[tuple[list[str], str]], default: str, indent: int | None
) -> None:
    document = {
        "defaultAction": default,
        "syscalls": [{"names": names, "action": action} for names, action in rules],
    }
    text = json.dumps(document, indent=indent)
    edit = edit_profile_text(text, "p.json", ["mkdir"])
    before, after = (parse_profile(each, "p.json") for each in (text, edit.text))
    denying = [rule for rule in after.rules if rule.action == "SCMP_ACT_ERRNO"]
    assert not any("mkdir" in rule.names for rule in denying)
    for name in ("acct", "swapon", "read", "mount"):
        assert [r.action for r in before.rules for n in r.names if n == name] == [
            r.action for r in after.rules for n in r.names if n == name
        ]
