"""Processes that were in no list when the others of their container were bound."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from seclatch.model.process import LiveProcess, LiveThread
from seclatch.system.procfs import list_threads, read_start
from seclatch.tighten.roles import missed_processes as module
from seclatch.tighten.roles import tighten_roles
from seclatch.tighten.run_tighten import TightenOptions, TightenOutcome
from seclatch.tighten.tighten_container import TightenRequest
from seclatch.tighten.tighten_report import TightenReport, explain_failures
from seclatch.tighten.tighten_target import TightenTarget
from seclatch.tighten.verify_bound import BoundThreads

HANDLED = os.getpid()
FIRST = LiveProcess(1, 0, 0, "S", (), LiveThread(1, "x", 0, 0, no_new_privs=False))
TARGET = TightenTarget("x", FIRST, ("1",), whole=False)


@pytest.fixture
def other(monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process of the target beside this one, which was handled."""
    with subprocess.Popen(["sleep", "60"]) as process:
        monkeypatch.setattr(module, "list_target_pids", lambda _: [HANDLED, process.pid])
        yield process
        process.kill()


def let_hold(monkeypatch: pytest.MonkeyPatch, holders: dict[bytes, set[int]]) -> None:
    def find(pids: Iterable[int], code: bytes) -> BoundThreads:
        unbound = {tid for pid in pids for tid in list_threads(pid)} - holders[code]
        return BoundThreads(tuple(holders[code]), tuple(unbound))

    monkeypatch.setattr(module, "find_bound_threads", find)


def report_missed() -> TightenReport:
    report = TightenReport("x", "p", "", TightenOutcome((), touched=True, settled=True), {}, "")
    tighten_roles._add_missed(report, TARGET, [b"main", b"worker"], 0.0)
    return report


def test_one_without_a_filter_makes_it_incomplete(
    monkeypatch: pytest.MonkeyPatch, other: subprocess.Popen[bytes]
) -> None:
    let_hold(monkeypatch, {b"main": set(list_threads(HANDLED)), b"worker": set()})
    report = report_missed()
    assert not report.outcome.complete and report.outcome.can_stay
    (sentence,) = explain_failures(report.outcome, report.names)
    assert sentence.startswith(f"process {other.pid} (sleep): it was created while")


def test_they_are_looked_for_after_the_binding(
    monkeypatch: pytest.MonkeyPatch, other: subprocess.Popen[bytes]
) -> None:
    let_hold(monkeypatch, {b"main": set(list_threads(HANDLED))})
    done = TightenOutcome((), touched=True, settled=True)
    made = SimpleNamespace(
        report=TightenReport("x", "p", "", done, {}, ""),
        further=SimpleNamespace(code=b"main"),
        present=False,
    )
    monkeypatch.setattr(tighten_roles, "require_permission", lambda: None)
    monkeypatch.setattr(tighten_roles, "find_tighten_target", lambda _: TARGET)
    monkeypatch.setattr(tighten_roles, "_list_and_prepare", lambda *_: ({}, {"main": made}))
    monkeypatch.setattr(tighten_roles, "put_on", lambda *_: made.report)
    options = TightenOptions(wait=0.0)
    request = TightenRequest("x", Path("p"), rehearsal=0.0, options=options)
    report = tighten_roles.tighten_roles(tighten_roles.RoleRequest(request, {"main": Path("p")}))
    assert [each.pid for each in report.outcome.processes] == [other.pid]


def test_one_that_inherited_any_of_them_is_bound(
    monkeypatch: pytest.MonkeyPatch, other: subprocess.Popen[bytes]
) -> None:
    let_hold(monkeypatch, {b"main": set(list_threads(HANDLED)), b"worker": {other.pid}})
    assert report_missed().outcome.complete


def test_another_process_with_the_id_of_one_that_was_handled(
    monkeypatch: pytest.MonkeyPatch, other: subprocess.Popen[bytes]
) -> None:
    let_hold(monkeypatch, {b"c": set(list_threads(HANDLED))})
    handled = {(HANDLED, read_start(HANDLED)), (other.pid, 1)}
    assert [each.pid for each in module.find_missed(TARGET, handled, [b"c"], 0.0)] == [other.pid]
