"""Compare interpreter and decision graphs with libseccomp's own simulator, call by call."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from seclatch.filter.boundary_calls import list_boundary_calls
from seclatch.filter.classic_bpf.simulate import simulate_filter
from seclatch.filter.evaluate_calls import CallEvaluator
from seclatch.model.action import Action, Operator
from seclatch.model.arch import Arch
from seclatch.model.filter import Filter
from seclatch.model.profile.profile import Arg, Profile, Rule
from seclatch.model.syscall import load_syscalls
from seclatch.model.verdict import Verdict
from seclatch.profile.compile.compile_profile import Runtime, compile_profile
from seclatch.profile.compile.resolve_profile import Engine, Host, narrow_profile
from seclatch.profile.parse.load_profile import load_profile
from tests.kernel.simulator import answers, runs
from tests.styles import minijail_style

CONTAINERS_COMMON = Path("/usr/share/containers/seccomp.json")
ROWS = 400
COMPARED = ["read", "write", "ioctl", "fcntl", "lseek", "dup3", "openat"]


def podman(arch: Arch) -> Filter:
    host = Host(arch, frozenset({"CAP_SYS_ADMIN"}), (6, 18), Engine.PODMAN)
    profile = narrow_profile(load_profile(CONTAINERS_COMMON), host)
    code = compile_profile(profile, runtime=Runtime.CRUN, native=arch).code
    return Filter.from_bytes(code, "little" if arch.little else "big")


def conditions(arch: Arch) -> Filter:
    """Make a filter of every operator and every action that the simulator can print."""
    actions = ["ERRNO", "LOG", "TRAP", "TRACE", "KILL_THREAD", "KILL_PROCESS", "ALLOW"]
    rules = [
        Rule((name,), f"SCMP_ACT_{action}", None, (Arg(1, operator, 1 << 33 | 6, 1 << 33 | 2),))
        for name, action, operator in zip(
            COMPARED,
            actions,
            Operator,
            strict=True,
        )
    ]
    profile = Profile("SCMP_ACT_ERRNO", tuple(rules), default_errno=13)
    code = compile_profile(profile, runtime=Runtime.LIBSECCOMP, native=arch).code
    return Filter.from_bytes(code, "little" if arch.little else "big")


PROGRAMS: dict[str, tuple[Callable[[], Filter], tuple[Arch, ...]]] = {
    "podman-x86_64": (lambda: podman(Arch.X86_64), (Arch.X86_64, Arch.X86, Arch.X32)),
    "podman-aarch64": (lambda: podman(Arch.AARCH64), (Arch.AARCH64, Arch.ARM)),
    **{
        f"conditions-{arch.title}": (lambda arch=arch: conditions(arch), (arch,))
        for arch in (
            Arch.X86_64,
            Arch.X86,
            Arch.AARCH64,
            Arch.ARM,
            Arch.S390X,
            Arch.S390,
            Arch.PPC,
            Arch.RISCV64,
            Arch.MIPS64,
            Arch.MIPS,
        )
    },
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_libseccomps_simulator_agrees(libseccomp_simulator: Path, name: str) -> None:
    make, arches = PROGRAMS[name]
    program = make()
    assert runs(program)
    evaluator = CallEvaluator(program)
    for arch in arches:
        numbers = (
            [load_syscalls(arch).numbers[each] for each in COMPARED]
            if "conditions" in name
            else None
        )
        every = list(list_boundary_calls(program, arch, numbers))
        calls = random.Random(0).sample(every, min(ROWS, len(every)))
        message = answers(libseccomp_simulator, program, calls, arch)
        assert len(set(message)) > 1
        for call, action in zip(calls, message, strict=True):
            assert plain(simulate_filter(program, call)) == action, (arch, call)
            assert plain(Verdict(evaluator.value(call))) == action, (arch, call)


def plain(verdict: Verdict) -> Action:
    """Return the action as the simulator prints it: without unused data, or a trap's."""
    action = verdict.action
    return action if action.kind.takes_data else Action(action.kind)


def test_unsupported_instructions_are_detected() -> None:
    """minijail's style has JSET; it is checked against the kernel instead."""
    assert not runs(minijail_style())
