"""Exec sessions of one kind, like a probe's, are counted in the first of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from seclatch.model.recording.recording import Recording
from seclatch.model.recording.select_recording import drop_sessions
from seclatch.recording.attribution.exec_sessions import ExecSessions
from seclatch.recording.attribution.fold_sessions import SessionFolder
from seclatch.recording.trace.run_metadata import RunMetadata
from seclatch.recording.trace.summarize_trace import summarize_trace
from tests.unit.recording.traces import INSIDE, Story

JOINED = replace(INSIDE, local_pid=7)
LATE = 1 << 60


class Pod:
    """A container found running, and exec sessions in it."""

    def __init__(self) -> None:
        self.story = Story()
        self.sessions = ExecSessions(mounts=INSIDE.mounts)
        self.folder = SessionFolder()
        self.main = self.story.member("/bin/server")
        self.count = 0

    def probe(self, *argv: str, ended: bool = True) -> list[int]:
        """Run a session: runtime (whose arguments differ each time), its init, the program."""
        self.count += 1
        words = ("exec", "--process", f"/tmp/runc-process{self.count}", "web")
        runtime = self.story.exec(0, "/usr/bin/runc", *words)
        init = self.story.fork(runtime, JOINED)
        program = self.story.exec(self.story.load(init, JOINED), *argv, facts=JOINED)
        child = self.story.exec(self.story.fork(program, JOINED), "/bin/true", facts=JOINED)
        segments = [runtime, init, program, child]
        for number in segments:
            process = self.story.trace.processes[self.story.trace.segments[number].process]
            for segment in process.segments:
                self.story.trace.segments[segment].calls = Counter()
        self.story.trace.segments[program].calls[False, 257] = 2
        for number in segments:
            self.end(number, ended=ended)
        return segments

    def end(self, number: int, *, ended: bool) -> None:
        trace = self.story.trace
        if ended:
            process = trace.processes[trace.segments[number].process]
            for segment in process.segments:
                trace.close(segment)
            trace.end(number, number * 1000, 0)

    def fold(self) -> None:
        self.folder.fold(self.story.trace, self.sessions, LATE)

    def recording(self) -> Recording:
        run = RunMetadata((), datetime.now(UTC), 0, 1, complete=False, container="web")
        return summarize_trace(self.story.trace, run)


def called(recording: Recording, number: int = 257) -> int:
    return sum(each.count for each in recording.calls if each.number == number)


def test_ten_thousand_probes_take_the_room_of_one() -> None:
    pod = Pod()
    pod.probe("/bin/sh", "-c", "check")
    pod.fold()
    size = len(pod.story.trace.segments), len(pod.story.trace.processes), pod.story.trace.bulk
    for _ in range(100):
        for _ in range(100):
            pod.probe("/bin/sh", "-c", "check")
        pod.fold()
    trace = pod.story.trace
    assert (len(trace.segments), len(trace.processes), trace.bulk) == size
    recording = pod.recording()
    [session] = [each for each in recording.sessions if each.joined]
    assert session.count == 10_001
    assert called(recording) == 2 * 10_001
    assert called(drop_sessions(recording)) == 0
    assert pod.sessions.list_trees().keys() == pod.folder._kept


def test_sessions_of_other_programs_stay_apart() -> None:
    pod = Pod()
    for _ in range(3):
        pod.probe("/bin/sh", "-c", "check")
        pod.probe("/bin/sh", "-c", "other")
    pod.fold()
    sessions = [each for each in pod.recording().sessions if each.joined]
    assert [each.count for each in sessions] == [3, 3]


def test_a_running_session_is_kept() -> None:
    pod = Pod()
    pod.probe("/bin/sh", "-c", "check")
    pod.fold()
    running = pod.probe("/bin/sh", "-c", "check", ended=False)
    pod.fold()
    assert set(running) <= pod.story.trace.segments.keys()
    for number in running:
        pod.end(number, ended=True)
    pod.fold()
    assert not set(running) & pod.story.trace.segments.keys()


def test_processes_that_only_name_the_container_are_dropped() -> None:
    pod = Pod()
    pod.probe("/bin/true")
    logs = pod.story.exec(0, "/usr/bin/docker", "logs", "web")
    pod.end(logs, ended=True)
    pod.fold()
    assert logs not in pod.story.trace.segments
    assert pod.main in pod.story.trace.segments


def test_random_arguments_do_not_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seclatch.recording.attribution.fold_sessions._MOST_KINDS", 10)
    pod = Pod()
    for number in range(50):
        pod.probe("/bin/sh", "-c", f"check {number}")
        pod.fold()
    counts = [each.count for each in pod.recording().sessions if each.joined]
    assert counts == [1] * 10 + [40]


def test_later_events_are_read_after_a_fold() -> None:
    """The position in the trace is that behind what was dropped."""
    pod = Pod()
    for _ in range(3):
        pod.probe("/bin/true")
        pod.fold()
    late = pod.probe("/bin/other")
    pod.fold()
    assert set(late) <= pod.story.trace.segments.keys()
    assert pod.story.trace.segments[late[0]].process in pod.sessions.list_trees()
