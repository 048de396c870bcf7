"""Denied calls: an exit without an entry, with the errno, and its stage."""

from __future__ import annotations

import pytest

from tests.conftest import Compiler
from tests.record.conftest import Record

pytestmark = pytest.mark.root


@pytest.mark.parametrize(
    ("words", "errno", "count"),
    [
        (["errno"], 7, 3),
        (["trap"], 0, 3),
        (["kill"], 0, 1),
        (["errno", "tsync"], 7, 3),
        (["trap", "tsync"], 0, 3),
        (["errno", "thread"], 7, 3),
        (["kill_thread", "thread"], 0, 1),
        (["kill_thread", "tsync"], 0, 1),
        (["kill_thread"], 0, 1),
        (["kill", "thread"], 0, 1),
    ],
)
def test_each_denying_action(
    record: Record, compiler: Compiler, words: list[str], errno: int, count: int
) -> None:
    done = record([compiler("denials"), *words], check=False)
    assert done.denied() == {("program", "getppid", errno, count)}
    assert "getppid" not in done.calls("program")
    result = [
        (each.stage, each.call, each.errno)
        for each in done.recording.events
        if each.kind == "denial"
    ]
    assert result == [("program", "getppid", errno)]
    filters = [each for each in done.recording.events if each.kind == "filter"]
    assert [each.filters for each in filters] == [1] * (2 if "tsync" in words else 1)


def test_an_allowed_call_is_not_denied(record: Record) -> None:
    done = record(["sh", "-c", "/bin/true; /bin/true"])
    assert done.denied() == set()
