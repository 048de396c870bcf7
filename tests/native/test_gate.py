"""The gate answers as the exact filter does, but for the runtime's calls and those that open it."""

from __future__ import annotations

import errno
import itertools
import json
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seclatch.filter.boundary_calls import list_boundary_calls
from seclatch.filter.classic_bpf.simulate import simulate_filter
from seclatch.filter.classic_bpf.verify import find_refusal
from seclatch.filter.evaluate_calls import CallEvaluator
from seclatch.model.arch import Arch
from seclatch.model.filter import Filter, Instruction
from seclatch.model.seccomp_data import SeccompData
from seclatch.model.syscall import load_syscalls
from seclatch.profile.compile.compile_profile import Runtime, compile_profile
from seclatch.profile.parse.load_profile import parse_profile
from tests.latch.oci import case
from tests.strategies import programs

ACTION = 0xFFFF0000
ALLOW, LOG, NOTIFY, TRACE, ERRNO = 0x7FFF0000, 0x7FFC0000, 0x7FC00000, 0x7FF00000, 0x50000
ATTACHING = {0, 16, 0x4206}  # PTRACE_TRACEME, PTRACE_ATTACH, PTRACE_SEIZE
NEW_LISTENER = 8
X32_BIT = 0x40000000
NATIVE = Arch.native()
INTERFACES = {
    Arch.X86_64: (Arch.X86_64, Arch.X32, Arch.X86),
    Arch.AARCH64: (Arch.AARCH64, Arch.ARM),
}

# Calls of runc 1.1.15 and crun 1.21 observed between filter and exec, by strace and by `seclatch
# record`; with and without no_new_privs, run and exec (docs/rootless.md).
SEEN = [
    "capget",
    "capset",
    "chdir",
    "clone",
    "close",
    "close_range",
    "epoll_ctl",
    "epoll_pwait",
    "execve",
    "exit_group",
    "faccessat2",
    "fchown",
    "fcntl",
    "fstat",
    "fstatfs",
    "futex",
    "getcwd",
    "getdents64",
    "getpid",
    "getppid",
    "gettid",
    "ioctl",
    "mmap",
    "munmap",
    "nanosleep",
    "newfstatat",
    "openat",
    "prctl",
    "pselect6",
    "read",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sched_yield",
    "setgid",
    "setgroups",
    "setresgid",
    "setresuid",
    "setuid",
    "sigaltstack",
    "statx",
    "tgkill",
    "umask",
    "wait4",
    "write",
]


def make_gate(probe: Path, exact: Filter) -> tuple[Filter, int]:
    done = subprocess.run(
        [probe, "gate"], input=exact.to_bytes(), capture_output=True, check=False, timeout=60
    )
    if done.returncode:
        raise OSError(done.returncode, done.stderr.decode())
    (mark,) = struct.unpack("I", done.stdout[:4])
    return Filter.from_bytes(done.stdout[4:]), mark


def numbers_of(arch: Arch, name: str) -> list[int]:
    """Return the number, and the other ABI's, equivalent before Linux 5.4 (seccomp(2), NOTES)."""
    number = load_syscalls(arch).numbers[name]
    return [number, number ^ X32_BIT] if arch in (Arch.X86_64, Arch.X32) else [number]


def opens(call: SeccompData) -> bool:
    number = call.number & 0xFFFFFFFF
    args = [value & 0xFFFFFFFF for value in (*call.args, 0, 0)]
    return any(
        (number in numbers_of(arch, "ptrace") and args[0] in ATTACHING)
        or (number in numbers_of(arch, "seccomp") and args[1] & NEW_LISTENER)
        for arch in INTERFACES[NATIVE]
        if arch.audit == call.audit
    )


def expected(call: SeccompData, exact: int, gated: set[int], mark: int) -> int:
    action = exact & ACTION
    denied = action not in (ALLOW, LOG, NOTIFY)
    if opens(call):
        return ERRNO | errno.EPERM if not denied or action == TRACE else exact
    if denied and call.audit == NATIVE.audit and call.number in gated:
        return TRACE | mark
    return exact


@pytest.fixture(scope="session")
def gated(probe: Path) -> set[int]:
    """Return the calls that the gate opens: those of the gate of a filter that denies all."""
    gate, mark = make_gate(probe, Filter((Instruction(6, 0, 0, ERRNO | 1),)))
    return {
        n
        for n in range(600)
        if simulate_filter(gate, SeccompData(NATIVE.audit, n, (99,) * 6)).value == TRACE | mark
    }


def test_observed_calls_of_the_runtimes_are_opened(gated: set[int]) -> None:
    numbers = load_syscalls(NATIVE).numbers
    assert {numbers[name] for name in SEEN if name in numbers} <= gated
    # and no call that a runtime does not need after its load
    forbidden = "ptrace mount bpf setns unshare init_module kexec_load chroot mkdirat bind"
    assert not {numbers[name] for name in forbidden.split()} & gated


PROFILES = {
    "stali-like": case("stali-like"),
    "exit-only": case("exit-only"),
    "allow": {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["mkdirat", "setsid"], "action": "SCMP_ACT_TRAP"}],
    },
    "trace": {
        "defaultAction": "SCMP_ACT_TRACE",
        "defaultErrnoRet": 0x5EC1,
        "syscalls": [
            {"names": ["close"], "action": "SCMP_ACT_TRACE", "errnoRet": 0x5EC2},
            {"names": ["exit_group"], "action": "SCMP_ACT_ALLOW"},
        ],
    },
    "notify": {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["close", "mkdirat"], "action": "SCMP_ACT_NOTIFY"}],
    },
    "podman": json.loads(Path("/usr/share/containers/seccomp.json").read_text()),
}


@pytest.mark.parametrize("runtime", [Runtime.RUNC, Runtime.CRUN], ids=["runc", "crun"])
@pytest.mark.parametrize("name", PROFILES)
def test_real_profiles(probe: Path, gated: set[int], name: str, runtime: Runtime) -> None:
    value = PROFILES[name]
    if name == "podman":
        names = {
            n
            for rule in value["syscalls"]
            if rule["action"] == "SCMP_ACT_ALLOW"
            for n in rule["names"]
        }
        value = {
            "defaultAction": "SCMP_ACT_ERRNO",
            "defaultErrnoRet": 38,
            "architectures": [arch.scmp for arch in INTERFACES[NATIVE]],
            "syscalls": [{"names": sorted(names), "action": "SCMP_ACT_ALLOW"}],
        }
    code = compile_profile(parse_profile(json.dumps(value), name), runtime=runtime).code
    exact = Filter.from_bytes(code)
    gate, mark = make_gate(probe, exact)
    assert find_refusal(gate) is None
    before, after = CallEvaluator(exact), CallEvaluator(gate)
    seen = set()
    for arch in INTERFACES[NATIVE]:
        calls = itertools.chain(list_boundary_calls(exact, arch), openers(arch))
        for call in calls:
            want = expected(call, before.value(call), gated, mark)
            assert after.value(call) == want, call
            seen.add(want)
    assert len(seen) >= 2


def openers(arch: Arch) -> list[SeccompData]:
    found = [
        SeccompData(arch.audit, number, (request, 1, 2, 3))
        for number in numbers_of(arch, "ptrace")
        for request in (*ATTACHING, 1, 7, 0x4207, 1 << 32, 1 << 32 | 16)
    ]
    return found + [
        SeccompData(arch.audit, number, (op, flags, 1))
        for number in numbers_of(arch, "seccomp")
        for op in (0, 1, 2)
        for flags in (0, 8, 9, 0x10, 0xFF, 1 << 32 | 8)
    ]


AUDITS = [arch.audit for arch in INTERFACES[NATIVE]]
CALLS = st.builds(
    SeccompData,
    audit=st.sampled_from([*AUDITS, 0]),
    number=st.one_of(
        st.integers(0, 480),
        st.sampled_from(
            [101, 317, 354, 26, 117, 277, 521, X32_BIT | 101, X32_BIT | 521, X32_BIT | 317]
        ),
    ),
    args=st.tuples(*[st.sampled_from([0, 1, 8, 16, 0x4206, 1 << 32, (1 << 64) - 1])] * 6),
)


@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
@given(exact=programs(), calls=st.lists(CALLS, min_size=1, max_size=40))
def test_any_filter(probe: Path, gated: set[int], exact: Filter, calls: list[SeccompData]) -> None:
    """Programs that return the accumulator are refused; all others keep their answers."""
    try:
        gate, mark = make_gate(probe, exact)
    except OSError as error:
        assert any(one.code == 0x16 for one in exact.instructions) or error.errno == errno.E2BIG
        return
    assert find_refusal(gate) is None
    for call in calls:
        value = simulate_filter(exact, call).value
        got = simulate_filter(gate, call).value
        if value == 0 and got == 0:
            # a division by zero ends the kernel's program with this answer, with or without the
            # gate
            continue
        assert got == expected(call, value, gated, mark), call


def test_length(probe: Path, gated: set[int]) -> None:
    """Two copies where there is room, one where there is not, no gate where there is none."""
    load, end = Instruction(0x20, 0, 0, 0), Instruction(6, 0, 0, ERRNO | 7)
    close, other = load_syscalls(NATIVE).numbers["close"], 4000
    for length in (1, 1900, 2100, 3900):
        exact = Filter((load,) * (length - 1) + (end,))
        gate, mark = make_gate(probe, exact)
        assert find_refusal(gate) is None
        assert simulate_filter(gate, SeccompData(NATIVE.audit, close)).value == TRACE | mark
        assert simulate_filter(gate, SeccompData(NATIVE.audit, other)).value == ERRNO | 7
    with pytest.raises(OSError, match=str(errno.E2BIG)):
        make_gate(probe, Filter((load,) * 4095 + (end,)))
