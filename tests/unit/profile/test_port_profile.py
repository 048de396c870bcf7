"""Porting: names, arguments and the calls that an architecture's own programs need."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seclatch.filter.classic_bpf.simulate import simulate_filter
from seclatch.model.action import Operator
from seclatch.model.arch import Arch
from seclatch.model.filter import Filter
from seclatch.model.profile.profile import Arg, Profile, Rule
from seclatch.model.seccomp_data import SeccompData
from seclatch.model.syscall import load_syscalls
from seclatch.profile.compile.compile_profile import Runtime, compile_profile
from seclatch.profile.compile.resolve_profile import Host, narrow_profile
from seclatch.profile.generate.port_profile import TARGETS, combine_architectures, port_profile
from seclatch.profile.parse.load_profile import parse_profile

X86, ARM = Arch.X86_64, Arch.AARCH64
ALLOW, ERRNO = "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"


def allowing(*names: str, args: tuple[Arg, ...] = (), arches: tuple[Arch, ...] = ()) -> Profile:
    return Profile(ERRNO, (Rule(names, ALLOW, args=args),), arches)


def names(profile: Profile) -> set[str]:
    return {name for rule in profile.rules for name in rule.names}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("open", "openat"),
        ("stat", "newfstatat"),
        ("fork", "clone"),
        ("vfork", "clone"),
        ("dup2", "dup3"),
        ("poll", "ppoll"),
        ("epoll_wait", "epoll_pwait"),
        ("access", "faccessat"),
        ("readlink", "readlinkat"),
        ("pipe", "pipe2"),
        ("select", "pselect6"),
    ],
)
def test_calls_of_libraries_there(old: str, new: str) -> None:
    ported = port_profile(allowing(old), X86, ARM)
    assert names(ported.profile) == {new, "uname"}
    assert next((each.kind, each.name, each.by) for each in ported.changes) == (
        "replaced",
        old,
        (new,),
    )
    back = port_profile(allowing(new), ARM, X86)
    assert {old, new, "arch_prctl"} <= names(back.profile)


def test_every_call_of_x86_has_an_answer() -> None:
    """Nothing is lost silently: each call that arm64 lacks is replaced or named as dropped."""
    every = tuple(load_syscalls(X86).numbers)
    ported = port_profile(allowing(*every), X86, ARM)
    assert all(load_syscalls(ARM).has(name) for name in names(ported.profile))
    result = {each.name for each in ported.changes}
    assert {name for name in every if not load_syscalls(ARM).has(name)} <= result
    dropped = {each.name for each in ported.changes if each.kind == "dropped"}
    assert {"iopl", "arch_prctl", "modify_ldt"} <= dropped
    assert not dropped & {"open", "mkdir", "alarm", "time", "creat"}


def test_a_condition_moves_with_its_argument() -> None:
    flags = Arg(1, Operator.MASKED_EQ, 3, 0)
    (rule, _), (change, *_) = (
        (done := port_profile(allowing("open", args=(flags,)), X86, ARM)).profile.rules,
        done.changes,
    )
    assert (rule.names, rule.args) == (("openat",), (Arg(2, Operator.MASKED_EQ, 3, 0),))
    assert "argument 1 is argument 2" in change.why


def test_rules_split_where_conditions_move_differently() -> None:
    first = Arg(0, Operator.EQ, 1)
    ported = port_profile(
        allowing("getdents", "open", "read", args=(first,)), X86, ARM
    ).profile.rules
    assert [(rule.names, rule.args[0].index) for rule in ported[:2]] == [
        (("getdents64", "read"), 0),
        (("openat",), 1),
    ]


def test_a_condition_without_a_counterpart_is_dropped_and_reported() -> None:
    """poll's timeout is a number, ppoll's a pointer, which must not be compared with the number."""
    ported = port_profile(allowing("poll", args=(Arg(2, Operator.EQ, 0),)), X86, ARM)
    assert "ppoll" not in names(ported.profile)
    assert [each.kind for each in ported.changes if each.name == "poll"] == ["left-out"]


def test_clone_s_last_arguments_are_exchanged() -> None:
    ported = port_profile(allowing("clone", args=(Arg(4, Operator.EQ, 0),)), X86, ARM)
    assert ported.profile.rules[0].args == (Arg(3, Operator.EQ, 0),)
    assert ported.changes[0].kind == "moved"


@pytest.mark.parametrize("name", ["fork", "vfork"])
def test_what_stands_for_fork_makes_no_namespace(name: str) -> None:
    """Without a condition, clone would be open for CLONE_NEWUSER, whatever its own rule says."""
    no_namespace = (Arg(0, Operator.MASKED_EQ, 0x7E020000, 0),)
    source = Profile(
        ERRNO, (Rule(("clone",), ALLOW, args=no_namespace), Rule((name, "read"), ALLOW))
    )
    ported = port_profile(source, X86, ARM)
    assert {rule.args for rule in ported.profile.rules if "clone" in rule.names} == {no_namespace}
    assert "; without new namespaces" in str(ported.changes[0])
    denied = port_profile(Profile(ALLOW, (Rule((name,), ERRNO),)), X86, ARM).profile
    assert denied.rules == (Rule(("clone",), ERRNO, comment="clone: for aarch64"),)


@pytest.mark.parametrize(("flags", "forks"), [(0x7E020000, True), (0x11, False)])
def test_fork_is_allowed_where_clone_is_for_what_fork_does(flags: int, forks: bool) -> None:
    args = (Arg(0, Operator.MASKED_EQ, flags, 0),)
    back = port_profile(allowing("clone", args=args), ARM, X86)
    assert ({"fork", "vfork"} <= names(back.profile)) is forks
    assert [rule.args for rule in back.profile.rules if "fork" in rule.names] == [()] * forks


def test_denials_are_ported_too() -> None:
    denying = Profile(ALLOW, (Rule(("mkdir",), ERRNO), Rule(("socket",), ERRNO)))
    assert names(port_profile(denying, X86, ARM).profile) == {"mkdirat", "socket"}
    back = Profile(ALLOW, (Rule(("mkdirat",), ERRNO),))
    assert names(port_profile(back, ARM, X86).profile) == {"mkdir", "mkdirat"}


def test_32_bit_programs_stay_if_they_were_in() -> None:
    both = allowing("open", arches=(X86, Arch.X86, Arch.X32))
    ported = port_profile(both, X86, ARM).profile
    assert ported.architectures == (ARM, Arch.ARM)
    assert {"open", "openat"} <= names(ported)
    assert port_profile(allowing("open", arches=(X86,)), X86, ARM).profile.architectures == (ARM,)


def test_a_conditional_profile_is_refused() -> None:
    text = {"defaultAction": ERRNO, "archMap": [{"architecture": "SCMP_ARCH_X86_64"}]}
    with pytest.raises(ValueError, match="resolve"):
        port_profile(parse_profile(json.dumps(text), "x"), X86, ARM)


def test_one_profile_for_both() -> None:
    both = combine_architectures(allowing("open", "read", arches=(X86,)), X86, ARM).profile
    arm, x86 = (narrow_profile(both, Host(arch)) for arch in (ARM, X86))
    assert "openat" in names(arm)
    assert names(x86) == {"open", "read"}
    assert (arm.architectures, x86.architectures) == ((ARM,), (X86,))


numbers = st.sampled_from([0, 1, 3, 0x241, 0xFFFFFFFF])
operators = st.sampled_from(list(Operator))
flags_ = st.builds(Arg, st.integers(0, 2), operators, numbers, numbers)


@given(flags_, st.tuples(numbers, numbers, numbers))
def test_open_and_openat_get_the_same_verdict(arg: Arg, values: tuple[int, int, int]) -> None:
    """Compiled and simulated: any condition on open holds for openat there."""
    before, after = (
        allowing("open", args=(arg,)),
        port_profile(allowing("open", args=(arg,)), X86, ARM),
    )
    x86, arm = (
        Filter.from_bytes(compile_profile(profile, runtime=Runtime.CRUN, native=arch).code)
        for profile, arch in ((before, X86), (after.profile, ARM))
    )
    opened = SeccompData(X86.audit, load_syscalls(X86).numbers["open"], values)
    there = SeccompData(ARM.audit, load_syscalls(ARM).numbers["openat"], (0xFFFFFF9C, *values))
    assert simulate_filter(x86, opened).action == simulate_filter(arm, there).action


@pytest.mark.parametrize("target", TARGETS)
def test_porting_back_and_forth_loses_nothing(target: Arch) -> None:
    every = tuple(name for name in load_syscalls(target).numbers)
    source = ARM if target is not ARM else X86
    there = port_profile(allowing(*every), target, source).profile
    back = names(port_profile(there, source, target).profile)
    dropped = {
        each.name
        for each in port_profile(allowing(*every), target, source).changes
        if each.kind == "dropped"
    }
    assert set(every) - dropped <= back | {"creat"}


@pytest.mark.parametrize(("call", "added"), [("mmap", {"munmap", "uname"}), ("read", {"uname"})])
def test_the_loader_s_munmap_on_arm64(call: str, added: set[str]) -> None:
    assert names(port_profile(allowing(call), X86, ARM).profile) == {call} | added
