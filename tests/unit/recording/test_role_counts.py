"""Counts by role, from traces made by hand."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from seclatch.errors import InputError
from seclatch.model.arch import Arch
from seclatch.model.recording.merge_recordings import merge_recordings
from seclatch.model.recording.process_role import fits_role, name_role
from seclatch.model.recording.recorded_roles import keep_role
from seclatch.model.recording.recording import Recording
from seclatch.model.syscall import load_syscalls
from seclatch.recording.files.recording_file import decode_recording
from seclatch.recording.trace.ready_mark import list_unsettled, mark_ready, settle_processes
from seclatch.recording.trace.run_metadata import RunMetadata
from seclatch.recording.trace.summarize_trace import summarize_trace
from tests.unit.recording.traces import Story
from tests.unit.recordings import calls, recording

NUMBERS = load_syscalls(Arch.native()).numbers
SECOND = 10**9


class Server:
    """A program whose main process creates workers, marked as ready after a second and a half."""

    def __init__(self) -> None:
        self.story = Story()
        self.now = 0
        self.main = self.story.exec(self.story.root, "/usr/sbin/server")
        self._clear(self.main)

    def _clear(self, segment: int) -> None:
        found = self.story.trace.segments[segment]
        found.calls.clear()
        found.time = self.now

    def fork(self, parent: int) -> int:
        segment = self.story.fork(parent)
        self._clear(segment)
        return segment

    def execute(self, parent: int, *argv: str) -> int:
        segment = self.story.exec(parent, *argv)
        self._clear(segment)
        return segment

    def call(self, segment: int, names: str) -> None:
        for name in names.split():
            self.story.trace.segments[segment].calls[False, NUMBERS[name]] += 1

    def mark(self, *in_flight: tuple[int, str]) -> None:
        self.now += 3 * SECOND // 2
        waiting = [(segment, (False, NUMBERS[name])) for segment, name in in_flight]
        mark_ready(self.story.trace, self.now, "listen", waiting)

    def wait(self, *in_flight: tuple[int, str], seconds: float = 1.5) -> None:
        self.now += int(seconds * SECOND)
        waiting = [(segment, (False, NUMBERS[name])) for segment, name in in_flight]
        settle_processes(self.story.trace, list_unsettled(self.story.trace, self.now), waiting)

    def end(self, segment: int) -> None:
        self.story.trace.end(segment, self.now, 0)

    def summarize(self) -> Recording:
        run = RunMetadata(("server",), datetime.now(UTC), 0, self.now + 1, complete=False)
        return summarize_trace(self.story.trace, run)

    def roles(self) -> dict[str, set[str]]:
        made = self.summarize()
        return {role.name: {call.name for call in role.calls} for role in made.roles}


def test_a_worker_is_counted_once_it_has_started() -> None:
    """A worker that is replaced sets its user again: that is not among what a worker needs."""
    server = Server()
    first = server.fork(server.main)
    server.call(server.main, "bind listen clone")
    server.call(first, "setuid epoll_wait")
    server.mark((first, "epoll_wait"))
    second = server.fork(server.main)
    server.call(server.main, "wait4")
    server.call(second, "setgid epoll_wait")
    server.wait((second, "epoll_wait"))
    server.call(first, "accept4")
    server.call(second, "read")
    found = server.roles()
    assert found["server:worker"] == {"epoll_wait", "accept4", "read"}
    assert found["server:main"] == {"wait4", "setgid", "epoll_wait", "accept4", "read"}


def test_a_worker_that_was_born_just_before_the_mark_starts_after_it() -> None:
    server = Server()
    server.now = SECOND
    worker = server.fork(server.main)
    server.now -= SECOND
    server.mark()
    server.call(worker, "setuid")
    assert server.roles()["server:worker"] == set()
    server.wait()
    server.call(worker, "read")
    assert server.roles()["server:worker"] == {"read"}


def test_a_worker_that_was_found_running_has_started() -> None:
    """As all are in a rehearsal; their parents are known from /proc."""
    server = Server()
    main, worker = (server.story.member("/usr/sbin/server") for _ in range(2))
    segments = server.story.trace.segments
    process = server.story.trace.processes[segments[main].process]
    segments[worker].parent_pid = process.pid
    mark_ready(server.story.trace, segments[worker].time, "0s", [])
    server.call(worker, "read")
    assert "read" in server.roles()["server:worker"]


def test_what_a_role_creates_needs_its_filter() -> None:
    """Whatever a process executes is under the filters of that process."""
    server = Server()
    worker = server.fork(server.main)
    server.mark()
    shell = server.execute(server.fork(worker), "/bin/sh", "-c", "date")
    server.call(shell, "openat dup2")
    found = server.roles()
    for role in ("server:main", "server:worker"):
        assert {"openat", "dup2"} <= found[role]
    assert found["sh:main"] == {"openat", "dup2"}


def test_a_process_whose_parent_has_ended_belongs_to_the_first_one() -> None:
    """As a daemon does that forks and ends its first process: the second one is the main one."""
    server = Server()
    server.execute(server.main, "/sbin/init")
    daemon = server.execute(server.fork(server.main), "/usr/sbin/server")
    real = server.fork(daemon)
    server.end(daemon)
    server.mark()
    worker = server.fork(real)
    server.call(real, "wait4")
    server.wait()
    server.call(worker, "read")
    assert server.roles()["server:main"] == {"wait4", "read"}
    assert server.roles()["server:worker"] == {"read"}


def test_without_a_mark_there_are_no_roles() -> None:
    assert Server().summarize().roles == []
    document = msgspec.to_builtins(recording(calls("program", "read")))
    del document["roles"]
    assert decode_recording("old", msgspec.json.encode(document)).roles == []


def test_merged_recordings_sum_roles_up() -> None:
    server = Server()
    worker = server.fork(server.main)
    server.mark()
    server.call(worker, "read")
    made = server.summarize()
    twice = merge_recordings([made, merge_recordings([made])])
    (role,) = (role for role in twice.roles if role.name == "server:worker")
    assert role.processes == 2 and [(c.name, c.count) for c in role.calls] == [("read", 2)]
    assert merge_recordings([made, recording(calls("program", "read"))]).roles == []


def test_a_role_is_selected() -> None:
    server = Server()
    worker = server.fork(server.main)
    server.call(server.main, "bind")
    server.mark()
    server.call(server.main, "wait4")
    server.call(worker, "read")
    (kept,) = keep_role([server.summarize()], "worker")
    assert {row.name for row in kept.calls if row.running} == {"read"}
    assert {row.name for row in kept.calls if not row.running} == {"bind", "wait4", "read"}
    with pytest.raises(ValueError, match=r"role 'master' in it; .*: server:main, server:worker"):
        keep_role([server.summarize()], "master")


def test_a_kind_of_several_programs_is_ambiguous() -> None:
    server = Server()
    other = server.execute(server.fork(server.main), "/usr/bin/other")
    server.fork(other)
    server.fork(server.main)
    server.mark()
    with pytest.raises(ValueError, match="several programs: other:worker, server:worker"):
        keep_role([server.summarize()], "worker")
    assert keep_role([server.summarize()], "other:worker")


def test_of_several_programs_the_one_is_meant_that_creates_the_others() -> None:
    """As postgres executes what archives its log."""
    server = Server()
    server.mark()
    helper = server.execute(server.fork(server.main), "/bin/cp")
    server.call(server.main, "wait4")
    server.call(helper, "read")
    (kept,) = keep_role([server.summarize()], "main")
    assert {row.name for row in kept.calls if row.running} == {"wait4", "read"}


def test_a_negative_count_is_refused() -> None:
    server = Server()
    server.mark()
    server.call(server.main, "read")
    document = msgspec.to_builtins(server.summarize())
    document["roles"][0]["calls"][0]["count"] = -1
    with pytest.raises(InputError, match="less than 0"):
        decode_recording("wrong", msgspec.json.encode(document))


def test_names_of_roles() -> None:
    assert name_role("/usr/sbin/nginx", "") == "nginx:main"
    assert name_role("/usr/sbin/nginx", "/bin/sh") == "nginx:main"
    assert name_role("/usr/sbin/nginx", "/usr/sbin/nginx") == "nginx:worker"
    assert name_role("/a/nginx (deleted)", "/a/nginx (deleted)") == "nginx:worker"
    assert name_role("", "") == ""
    assert fits_role("nginx:worker", "worker") and fits_role("nginx:worker", "nginx:worker")
    assert not fits_role("nginx:worker", "x:worker") and not fits_role("nginx:main", "worker")
