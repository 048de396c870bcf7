"""A session bounds what it describes, and logs what it did not."""

from __future__ import annotations

import os
from typing import Any

import pytest

from seclatch.model.arch import Arch
from seclatch.model.denial_log import LoggedDenial, LogLine, WatchEvent
from seclatch.model.seen_denial import SeenAnswer, SeenDenial, SeenProcess
from seclatch.watch.denial_selection import DenialPlace, DenialSelection
from seclatch.watch.open_sources import OpenSources
from seclatch.watch.targets.log_target import LogTarget
from seclatch.watch.watch_session import WatchSession
from tests.unit.watch.denials import HOST, make_denial


class Kernel:
    """Counted denials that are taken once."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.uncounted = 5
        self.read, self.write = os.pipe()

    def fileno(self) -> int:
        return self.read

    def take_events(self) -> list[Any]:
        return []

    def take_counts(self) -> list[SeenDenial]:
        taken, self.count = self.count, 0
        return [
            SeenDenial(
                SeenProcess(n), Arch.X86_64, 1, SeenAnswer.TRAP, 0, 2, taken - n, taken - n, "ebpf"
            )
            for n in range(taken)
        ]

    def take_uncounted(self) -> int:
        taken, self.uncounted = self.uncounted, 0
        return taken


class Describer:
    host = HOST

    def begin_epoch(self) -> None: ...

    def notice(self, *_: object) -> None: ...

    def take_notes(self) -> list[str]:
        return []

    def take_undecided(self) -> int:
        return 0

    def locate(self, denial: SeenDenial) -> DenialPlace:
        return DenialPlace(denial.process.pid, None, f"{denial.process.pid % 1000}.service")

    def describe(self, denial: SeenDenial) -> LoggedDenial | None:
        return make_denial(pid=denial.process.pid, count=denial.count)


class Stop:
    def __init__(self) -> None:
        self.read, self.write = os.pipe()

    def fileno(self) -> int:
        return self.read

    def arrived(self) -> bool:
        return True

    def take_hangup(self) -> bool:
        return False


class Target(LogTarget):
    name = "a target"

    def __init__(self) -> None:
        self.lines: list[LogLine] = []
        self.failed, self.reason = 1, "full"

    def write(self, line: LogLine) -> None:
        self.lines.append(line)


def test_what_is_too_much_is_counted_and_said() -> None:
    target, messages = Target(), list[str]()
    sources = OpenSources(kernel=Kernel(3000), sees=["trap"], name="calls")
    session = WatchSession(
        sources,
        Describer(),
        DenialSelection(),
        [target],
        messages.append,
    )
    session.run(Stop())
    denials = [line for line in target.lines if isinstance(line, LoggedDenial)]
    events = [line for line in target.lines if isinstance(line, WatchEvent)]
    assert len(denials) == 1000
    assert [one.pid for one in denials[:2]] == [2999, 2998]  # in the order of time
    assert [(event.event, event.count) for event in events] == [
        ("begin", 0),
        ("lost", 2000 * 2 + 5),
        ("end", 0),
    ]
    assert events[0].way == "calls" and events[0].sees == ["trap"]
    assert sorted(messages) == [
        "1 lines were not written to a target: full",
        "4005 denials were only counted: too many at once",
    ]


def run(selection: DenialSelection, describer: Describer) -> tuple[list[int], list[int]]:
    """Return the processes of lines, and the counts of `lost` events."""
    target = Target()
    sources = OpenSources(kernel=Kernel(3000), sees=["trap"], name="calls")
    WatchSession(sources, describer, selection, [target], lambda _: None).run(Stop())
    pids = [line.pid for line in target.lines if isinstance(line, LoggedDenial)]
    lost = [
        line.count for line in target.lines if isinstance(line, WatchEvent) and line.event == "lost"
    ]
    return pids, lost


def test_what_is_not_selected_takes_no_lines() -> None:
    """Of 3,000 processes the three selected ones are the last."""
    pids, lost = run(DenialSelection(units=("0.service",)), Describer())
    assert pids == [2000, 1000, 0] and lost == [5]


def test_a_slow_description_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]

    class Slow(Describer):
        def describe(self, denial: SeenDenial) -> LoggedDenial | None:
            now[0] += 0.5
            return super().describe(denial)

    monkeypatch.setattr("time.monotonic", lambda: now[0])
    pids, lost = run(DenialSelection(), Slow())
    assert len(pids) == 5 and lost == [2 * (3000 - 5) + 5]


class Audit:
    """Lines that have arrived; the pipe says so once."""

    def __init__(self, pid: int, count: int) -> None:
        self.line = SeenDenial(
            SeenProcess(pid), Arch.X86_64, 1, SeenAnswer.LOG, 0, 1, 1, 1, "audit"
        )
        self.count = count
        self.read, self.write = os.pipe()
        os.write(self.write, b"x")

    def fileno(self) -> int:
        return self.read

    def take(self) -> list[SeenDenial]:
        if self.count:
            os.read(self.read, 1)
        taken, self.count = self.count, 0
        return [self.line] * taken

    def take_lost(self) -> int:
        return 0


def test_the_process_of_an_audit_line_is_looked_up_at_once() -> None:
    """By pid and start: it may have ended, and its pid be given anew, when the line is written."""
    noticed: list[SeenProcess] = []

    class Noting(Describer):
        def notice(self, *words: object) -> None:
            assert isinstance(words[0], SeenProcess)
            noticed.append(words[0])

    target = Target()
    sources = OpenSources(audit=Audit(os.getpid(), 10_003), name="audit")
    WatchSession(sources, Noting(), DenialSelection(), [target], lambda _: None).run(Stop())
    assert len(noticed) == 100 and {one.pid for one in noticed} == {os.getpid()}
    assert {one.started > 0 for one in noticed} == {True}
    lost = [line.count for line in target.lines if isinstance(line, WatchEvent)]
    assert lost == [0, 3, 0]
    counts = [line.count for line in target.lines if isinstance(line, LoggedDenial)]
    assert counts == [10_000]
