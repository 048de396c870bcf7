"""Profiles of the running phase."""

from __future__ import annotations

import msgspec
import pytest

from seclatch.model.profile.profile import Profile
from seclatch.model.recording.recording import (
    ReadyMark,
    RecordedArgument,
    RecordedProcess,
    RecordedSession,
    Recording,
)
from seclatch.profile.generate.assemble_profile import AssemblyOptions, assemble_profile
from seclatch.profile.generate.explain_profile import explain_profile
from seclatch.profile.generate.generate_profile import GeneratorOptions
from seclatch.profile.generate.join_scan import JoinPolicy, JoinVerdict
from tests.unit.profile.test_join_scan import scan
from tests.unit.recordings import calls, recording

READY = ReadyMark(time=0.25, condition="listen:80")


def server(*, accepts: bool = True) -> Recording:
    boot = calls("program", "execve socket bind listen setuid mprotect", running=0)
    later = calls("program", "epoll_wait read write", count=9, running=8)
    later += calls("program", "accept4", running=1 if accepts else 0)
    return recording(
        calls("filtered-init", "capset", count=2, running=2) + boot + later,
        ready=READY,
        arguments=[
            RecordedArgument(
                stage="program",
                arch="x86_64",
                name="mmap",
                index=2,
                value=value,
                count=1,
                running=running,
            )
            for value, running in ((5, 0), (3, 1))
        ],
    )


def allowed(profile: Profile) -> set[str]:
    rules = (rule for rule in profile.rules if rule.effect.kind.executes)
    return {name for rule in rules for name in rule.names}


def options(**more: object) -> AssemblyOptions:
    return AssemblyOptions(GeneratorOptions(running=True), **more)


def test_only_calls_after_the_mark_are_allowed() -> None:
    done = assemble_profile([server()], options(exact=True))
    assert {"epoll_wait", "read", "write", "accept4"} <= allowed(done.profile)
    left_out = {"execve", "socket", "bind", "listen", "setuid", "mprotect", "capset"}
    assert not left_out & allowed(done.profile)
    assert "once ready (listen:80)" in done.profile.rules[0].comment


def test_what_every_live_process_needs_is_added() -> None:
    done = assemble_profile([server()], options(exact=True))
    assert {"rt_sigreturn", "exit_group", "futex", "munmap", "brk"} <= allowed(done.profile)


def test_a_listener_keeps_accept_though_no_client_came() -> None:
    done = assemble_profile([server(accepts=False)], options(exact=True))
    assert {"accept", "accept4"} <= allowed(done.profile)
    assert any("no connection was accepted" in line for line in done.warnings)


def test_what_was_seen_and_what_never_is_said() -> None:
    done = assemble_profile([server()], options())
    first, second, *_ = done.warnings
    assert "0.8 s after ready (listen:80): 4 calls were seen" in first
    assert "6 calls were seen only before" in second and "setuid" in second
    reasons = explain_profile(done, [server()])
    left_out = {each.call: each.reason for each in reasons.left_out}
    assert left_out["setuid"] == "left out: seen only before the program was ready"
    assert {each.call: each.count for each in reasons.allowed}["read"] == 8


def test_a_scan_brings_no_call_of_the_boot_back() -> None:
    found = scan("read", "setuid", "bind", "uname", "ptrace")
    done = assemble_profile([server()], options(scan=found, policy=JoinPolicy.STATIC))
    assert not {"setuid", "bind"} & allowed(done.profile)
    assert "uname" in allowed(done.profile)
    assert done.joined is not None
    rows = {row.name: row.verdict for row in done.joined.rows}
    assert rows["setuid"] is JoinVerdict.BOOT


def test_a_scan_from_the_main_loop_leaves_out_what_the_start_alone_calls() -> None:
    found = scan("read", "setuid", "uname", "umask", main_loop="loop", loop_calls=("read", "uname"))
    done = assemble_profile([server()], options(exact=True, scan=found, policy=JoinPolicy.STATIC))
    assert "uname" in allowed(done.profile) and "umask" not in allowed(done.profile)
    assert done.joined is not None
    rows = {row.name: row.verdict for row in done.joined.rows}
    assert rows["umask"] is JoinVerdict.START and rows["setuid"] is JoinVerdict.BOOT
    assert any("main loop, and are left out: umask" in line for line in done.warnings)
    whole = AssemblyOptions(GeneratorOptions(), found, JoinPolicy.STATIC, exact=True)
    assert "umask" in allowed(assemble_profile([server()], whole).profile)


def test_arguments_of_the_boot_are_none_of_the_running_phase() -> None:
    assert done_arguments(running=True) == {3}
    assert done_arguments(running=False) == {3, 5}


def done_arguments(*, running: bool) -> set[int]:
    chosen = AssemblyOptions(GeneratorOptions(running=running))
    done = assemble_profile([server()], chosen)
    return {row.value for row in done.recording.arguments}


def test_exec_sessions_are_not_of_the_running_phase() -> None:
    """They are under the container's first profile: a further one is put on what runs then."""
    start = RecordedSession(id=0, container=0, joined=False, process=0)
    check = RecordedSession(id=1, container=0, joined=True, process=7)
    session = [
        msgspec.structs.replace(row, process=7)
        for row in calls("program", "execve pipe2 read", running=1)
    ]
    made = msgspec.structs.replace(
        server(),
        calls=[*server().calls, *session],
        sessions=[start, check],
        processes=[process(0, session=0), process(7, session=1)],
    )
    done = assemble_profile([made], options(exact=True))
    assert not {"execve", "pipe2"} & allowed(done.profile)
    assert "read" in allowed(done.profile)


def process(number: int, session: int) -> RecordedProcess:
    return RecordedProcess(
        id=number,
        pid=100 + number,
        parent=None,
        session=session,
        began=0,
        ended=None,
        status=None,
        found_running=False,
        images=[],
    )


def test_a_recording_without_a_mark_is_refused() -> None:
    with pytest.raises(ValueError, match="no ready mark"):
        assemble_profile([recording(calls("program", "read"))], options())


def test_a_mark_at_the_end_leaves_nothing() -> None:
    late = recording(calls("program", "read"), ready=READY)
    with pytest.raises(ValueError, match="after the ready mark"):
        assemble_profile([late], options())


def test_one_option_allows_a_call_of_the_boot() -> None:
    done = assemble_profile([server()], options(allow=("setuid",)))
    assert "setuid" in allowed(done.profile)
