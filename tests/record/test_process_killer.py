"""Processes of a trace are killed by pidfd, and never another process with the same number."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Iterator

import pytest

from seclatch.recording.trace import process_killer
from seclatch.recording.trace.process_killer import ProcessKiller
from seclatch.recording.trace.trace import Trace, TracedProcess


@pytest.fixture
def killer() -> Iterator[ProcessKiller]:
    with contextlib.closing(ProcessKiller()) as made:
        yield made


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "1000"]) as started:
        yield started
        started.kill()


def make_trace(pid: int) -> Trace:
    trace = Trace()
    trace.processes[1] = TracedProcess(1, pid, None, 0)
    return trace


def test_a_process_is_killed_once_an_update_still_has_it(
    killer: ProcessKiller, sleeper: subprocess.Popen[bytes]
) -> None:
    trace = make_trace(sleeper.pid)
    killer.kill(trace, {1})
    killer.kill(trace, {1})
    assert sleeper.wait(timeout=30) == -signal.SIGKILL


def test_a_pidfd_that_was_just_opened_is_not_used(
    killer: ProcessKiller, sleeper: subprocess.Popen[bytes]
) -> None:
    """Its number may have been another process's by then."""
    killer.kill(make_trace(sleeper.pid), {1})
    sleeper.terminate()
    assert sleeper.wait(timeout=30) == -signal.SIGTERM


def test_the_number_of_an_ended_process_is_left_alone(
    killer: ProcessKiller, sleeper: subprocess.Popen[bytes]
) -> None:
    """The pidfd is of the ended process, whatever has its number now."""
    with subprocess.Popen(["sleep", "1000"]) as ended:
        trace = make_trace(ended.pid)
        killer.kill(trace, {1})
        ended.kill()
    trace.processes[1].pid = sleeper.pid  # as if the kernel had given the number again
    killer.kill(trace, {1})
    sleeper.terminate()
    assert sleeper.wait(timeout=30) == -signal.SIGTERM


def test_more_processes_than_pidfds_are_killed_in_turn(
    killer: ProcessKiller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the first ones are not gone yet: all stay in the trace here."""
    monkeypatch.setattr(process_killer, "_MOST_HANDLES", 2)
    with contextlib.ExitStack() as stack:
        started = [stack.enter_context(subprocess.Popen(["sleep", "1000"])) for _ in range(5)]
        for each in started:
            stack.callback(each.kill)
        trace = Trace()
        for number, each in enumerate(started):
            trace.processes[number] = TracedProcess(number, each.pid, None, 0)
        for _ in range(4):
            killer.kill(trace, trace.processes.keys())
        assert [each.wait(timeout=30) for each in started] == [-signal.SIGKILL] * 5
