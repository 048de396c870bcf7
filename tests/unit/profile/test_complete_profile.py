"""A profile completed for production: calls added, kept out and answered with ENOSYS."""

from __future__ import annotations

import msgspec
import pytest

from seclatch.model.action import ENOSYS, EPERM, Action, ActionKind
from seclatch.model.arch import Arch
from seclatch.model.profile.profile import Profile, Rule
from seclatch.model.syscall import list_syscall_names, load_syscalls
from seclatch.profile.compile.resolve_profile import Engine, Host, narrow_profile
from seclatch.profile.curated.call_data import (
    load_always,
    load_dangerous,
    load_fallbacks,
    load_families,
)
from seclatch.profile.curated.default_profiles import load_default
from seclatch.profile.generate.complete_profile import (
    CompletedProfile,
    CompletionOptions,
    complete_profile,
)
from seclatch.profile.generate.limits.recorded_limit import RecordedLimit, find_limits
from seclatch.profile.meaning import rule_meaning
from tests.unit.recordings import calls, recording

NATIVE = Arch.X86_64
SERVER = ("read", "write", "openat", "socket", "epoll_wait", "clone3", "exit_group")


def limit(engine: Engine = Engine.DOCKER) -> RecordedLimit:
    host = Host(NATIVE, frozenset(), (6, 12), engine)
    return RecordedLimit(narrow_profile(load_default(engine), host), f"{engine.value}-default")


def made(
    *names: str,
    exact: bool = False,
    limits: tuple[RecordedLimit, ...] = (),
    **options: tuple[str, ...],
) -> CompletedProfile:
    rule = Rule(names or SERVER, "SCMP_ACT_ALLOW", comment="made")
    profile = Profile("SCMP_ACT_ERRNO", (rule,), (NATIVE,), default_errno=EPERM)
    return complete_profile(profile, CompletionOptions(exact, limits=limits, **options))


def verdicts(done: CompletedProfile, name: str) -> set[Action]:
    return rule_meaning.read_meaning(done.profile, NATIVE).outcomes(name)


def is_allowed(done: CompletedProfile, name: str) -> bool:
    return rule_meaning.read_meaning(done.profile, NATIVE).always_executes(name)


@pytest.mark.parametrize("exact", [True, False])
def test_calls_that_every_process_needs_are_always_in(exact: bool) -> None:
    done = made("read", exact=exact, limits=(limit(),))
    for row in load_always():
        if load_syscalls(NATIVE).has(row.call):
            assert is_allowed(done, row.call), row.call


def test_families_are_added_only_for_recorded_related_calls() -> None:
    assert is_allowed(made("socket"), "shutdown")
    assert not is_allowed(made("read"), "shutdown")
    assert not is_allowed(made("socket", exact=True), "shutdown")
    assert is_allowed(made("pread64", "write"), "pwrite64")
    assert is_allowed(made("chdir"), "fchdir") and not is_allowed(made("openat"), "fchdir")


@pytest.mark.parametrize(
    ("program", "scripted"), [("python3.13", True), ("node", True), ("nginx", False), ("sh", False)]
)
def test_interpreters_may_do_what_their_scripts_may_say(program: str, scripted: bool) -> None:
    programs = frozenset(["cat", program])
    rule = Rule(("read",), "SCMP_ACT_ALLOW")
    profile = Profile("SCMP_ACT_ERRNO", (rule,), (NATIVE,), default_errno=EPERM)
    done = complete_profile(profile, CompletionOptions(programs=programs))
    assert is_allowed(done, "inotify_init1") is scripted
    if scripted:
        assert program in done.added["inotify_init1"].reason
    exact = complete_profile(profile, CompletionOptions(exact=True, programs=programs))
    assert not is_allowed(exact, "inotify_init1")


@pytest.mark.parametrize("family", load_families(), ids=lambda row: row.family)
def test_no_family_adds_a_new_kind_of_exposure(family: object) -> None:
    default = rule_meaning.read_meaning(limit().profile, NATIVE)
    adds = family.adds  # type: ignore[attr-defined]
    assert not set(adds) & set(load_dangerous())
    assert not set(adds) & {
        "execve",
        "fork",
        "clone",
        "kill",
        "connect",
        "bind",
        "symlink",
        "mount",
        "ioctl",
    }
    assert all(default.always_executes(name) for name in adds)


def test_every_name_of_the_data_is_a_call() -> None:
    names = {*load_dangerous(), *load_fallbacks(), *(row.call for row in load_always())}
    names |= {name for row in load_families() for name in (*row.uses, *row.adds)}
    assert names <= list_syscall_names()


@pytest.mark.parametrize(
    "name",
    [
        "clone3",
        "openat2",
        "faccessat2",
        "statx",
        "close_range",
        "epoll_pwait2",
        "futex_waitv",
        "io_uring_setup",
    ],
)
def test_calls_with_a_fallback_in_libc_get_enosys(name: str) -> None:
    done = made("read", limits=(limit(),))
    assert verdicts(done, name) == {Action(ActionKind.ERRNO, ENOSYS)}
    assert verdicts(done, "mkdir") == {Action(ActionKind.ERRNO, EPERM)}


def test_clone3_under_docker_s_default_becomes_clone_without_namespaces() -> None:
    done = made("clone3", "read", limits=(limit(),))
    assert verdicts(done, "clone3") == {Action(ActionKind.ERRNO, ENOSYS)}
    meaning = rule_meaning.read_meaning(done.profile, NATIVE)
    assert meaning.verdict("clone", (0x11, 0, 0, 0, 0, 0)).kind.executes
    assert not meaning.verdict("clone", (0x10000011, 0, 0, 0, 0, 0)).kind.executes


@pytest.mark.parametrize("engine", [Engine.DOCKER, Engine.PODMAN])
def test_it_is_never_wider_than_the_limit(engine: Engine) -> None:
    everything = tuple(load_syscalls(NATIVE).numbers)
    done = made(*everything, limits=(limit(engine),))
    ours = rule_meaning.read_meaning(done.profile, NATIVE)
    theirs = rule_meaning.read_meaning(limit(engine).profile, NATIVE)
    for name in everything:
        assert theirs.may_execute(name) or not ours.may_execute(name), name
        assert theirs.always_executes(name) or not ours.always_executes(name), name
    assert "bpf" in done.removed
    assert any("--wider" in line and "bpf" in line for line in done.warnings)
    vsock = (40, 1, 0, 0, 0, 0)
    assert engine is Engine.PODMAN or not ours.verdict("socket", vsock).kind.executes


def test_podman_s_default_and_profiles_made_under_it_answer_enosys() -> None:
    done = made("read", limits=(limit(Engine.PODMAN),))
    theirs = rule_meaning.read_meaning(limit(Engine.PODMAN).profile, NATIVE)
    enosys = {Action(ActionKind.ERRNO, ENOSYS)}
    for name in load_syscalls(NATIVE).numbers:
        if theirs.outcomes(name) == enosys and name not in load_syscalls(NATIVE).newer:
            assert verdicts(done, name) == enosys, name


def test_wider_and_allow() -> None:
    done = made("read", limits=(limit(),), allow=("bpf", "execve"), wider=("bpf",))
    assert is_allowed(done, "bpf") and is_allowed(done, "execve")
    assert any("wider than" in line for line in done.warnings)


def test_a_container_s_own_profile_is_the_limit() -> None:
    own = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}],
    }
    base = recording(calls("program", "read write"))
    container = {"id": 0, "profile": own}
    taken = msgspec.convert(
        msgspec.to_builtins(base) | {"containers": [container]}, type=type(base)
    )
    [found] = find_limits([taken])
    meaning = rule_meaning.read_meaning(found.profile, NATIVE)
    assert meaning.may_execute("read") and not meaning.may_execute("write")


def test_without_a_profile_the_engine_s_default_is_the_limit() -> None:
    [found] = find_limits([recording(calls("program", "read"))])
    meaning = rule_meaning.read_meaning(found.profile, NATIVE)
    assert "docker-default" in found.source
    assert meaning.may_execute("chroot") and not meaning.may_execute("mount")
