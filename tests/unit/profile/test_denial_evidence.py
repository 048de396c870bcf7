"""Denials of a recording, with as much of their arguments as it has."""

from __future__ import annotations

import json

import pytest

from seclatch.model.recording.recording import DeniedArgument, Recording
from seclatch.profile.amend.danger import find_danger
from seclatch.profile.amend.denial_evidence import DenialEvidence, list_recorded_denials
from seclatch.profile.amend.plan_amendment import plan_proposals
from tests.unit.profile.amendments import options, profile, recorded, seen
from tests.unit.recordings import calls, recording


def value(name: str, index: int, number: int, count: int = 1) -> DeniedArgument:
    return DeniedArgument(
        process=0,
        stage="program",
        arch="x86_64",
        name=name,
        index=index,
        value=number,
        count=count,
    )


def record(*rows: DeniedArgument, name: str = "fcntl", errnos: tuple[int, ...] = (1,)) -> Recording:
    total = sum(row.count for row in rows if row.index == (1 if name == "fcntl" else 0))
    share = max(total // len(errnos), 1)
    denials = [recorded(name, share, errno) for errno in errnos]
    return recording(calls("program", "read"), denials=denials, denied_arguments=list(rows))


def listed(made: Recording) -> list[tuple[int | None, int, bool]]:
    found = list_recorded_denials(made, "r.json")
    return sorted((each.selector, each.count, each.partial) for each in found)


def test_one_denial_for_each_value() -> None:
    rows = (value("fcntl", 1, 1030, 3), value("fcntl", 1, 1031))
    assert listed(record(*rows)) == [(1030, 3, True), (1031, 1, True)]
    assert listed(record(*rows, errnos=(1, 38))) == [(1030, 3, True), (1031, 1, True)]


def test_a_value_that_is_missing_leaves_the_whole_call() -> None:
    made = record(value("fcntl", 1, 1030, 2))
    denials = [recorded("fcntl", 3)]
    found = list_recorded_denials(
        recording(made.calls, denials=denials, denied_arguments=made.denied_arguments), "r.json"
    )
    assert [(each.args, each.count) for each in found] == [(None, 3)]


def test_all_arguments_of_a_socket_belong_together_if_each_has_one_value() -> None:
    rows = (value("socket", 0, 16, 2), value("socket", 1, 3, 2), value("socket", 2, 9, 2))
    (one,) = list_recorded_denials(record(*rows, name="socket"), "r.json")
    assert one.args is not None and (one.args[:3], one.count, one.partial) == ((16, 3, 9), 2, False)
    both = (*rows, value("socket", 1, 1, 0))
    assert listed(record(*both, name="socket")) == [(16, 2, True)]


def known(name: str, *args: int) -> DenialEvidence:
    return seen(name, *args, partial=True)


def test_what_is_not_known_counts_as_dangerous() -> None:
    """Perhaps it was a raw socket."""
    rules = plan_proposals(profile(), [known("socket", 10)], options()).offered[0].rules
    assert "SOCK_RAW" in find_danger("socket", rules, [known("socket", 10)], lambda *_: True)
    assert not find_danger("socket", rules, [seen("socket", 10, 1)], lambda *_: True)


@pytest.mark.parametrize(
    ("entry", "matches"),
    [("socket(16)", True), ("socket(16, 0)", False), ("socket(17)", False), ("socket", True)],
)
def test_an_ignored_call_is_matched_by_what_is_known(entry: str, matches: bool) -> None:
    assert bool(options(entry).ignored.match(known("socket", 16))) is matches


def test_what_is_not_known_is_not_taken_for_what_a_rule_allows() -> None:
    """It was denied, whatever a rule says of the call whose other arguments are 0."""
    rule = {
        "names": ["socket"],
        "action": "SCMP_ACT_ALLOW",
        "args": [{"index": 1, "value": 3, "op": "SCMP_CMP_NE"}],
    }
    text = json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule]})
    found = plan_proposals(profile(text), [known("socket", 10)], options())
    assert [each.names for each in found.offered] == [("socket",)]
    found = plan_proposals(profile(text), [seen("socket", 10, 1)], options())
    assert not found.offered
