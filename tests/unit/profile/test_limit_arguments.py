"""Arguments that open a new kind of power are kept out, unless they were recorded."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from seclatch.cli.main import cli
from seclatch.filter.classic_bpf.simulate import simulate_filter
from seclatch.model.arch import Arch
from seclatch.model.filter import Filter
from seclatch.model.recording.recording import RecordedArgument, Recording
from seclatch.model.seccomp_data import SeccompData
from seclatch.model.syscall import load_syscalls
from seclatch.profile.compile.compile_profile import compile_profile
from seclatch.profile.compile.runtime_limits import Runtime
from seclatch.profile.curated.kernel_cves import load_kernel_cves
from seclatch.profile.generate.assemble_profile import (
    AssembledProfile,
    AssemblyOptions,
    assemble_profile,
)
from seclatch.profile.meaning.rule_meaning import read_meaning
from seclatch.profile.score.filter_stack import FilterStack, StackLayer
from tests.unit.recordings import calls, recording

UPPER = 1 << 32


def passed(name: str, *rows: tuple[int, int]) -> list[RecordedArgument]:
    """(index, value) pairs, each of one call."""
    return [
        RecordedArgument(
            stage="program", arch="x86_64", name=name, index=index, value=value, count=1
        )
        for index, value in rows
    ]


def made(shown: Recording, *, any_args: bool = False) -> AssembledProfile:
    return assemble_profile([shown], AssemblyOptions(any_args=any_args))


def is_allowed(done: AssembledProfile, name: str, *args: int) -> bool:
    """By the meaning of the rules, and by the programs that runc and crun make of them."""
    values = (*args, *([0] * (6 - len(args))))
    verdict = read_meaning(done.profile, Arch.X86_64).verdict(name, values).kind.executes
    number = load_syscalls(Arch.X86_64).numbers[name]
    for runtime in (Runtime.RUNC, Runtime.CRUN):
        code = compile_profile(done.profile, runtime=runtime, native=Arch.X86_64).code
        found = simulate_filter(
            Filter.from_bytes(code, "little"), SeccompData(Arch.X86_64.audit, number, values)
        )
        assert found.action.kind.executes == verdict, (runtime, name, args)
    return verdict


SERVER = recording(
    [*calls("program", "socket setsockopt"), *calls("program", "mmap clone", count=1)],
    arguments=[
        *passed("socket", (0, 2), (1, 0x80801), (2, 6)),
        *passed("setsockopt", (1, 1), (2, 2)),
        *passed("mmap", (2, 3)),
        *passed("clone", (0, 0x11)),
    ],
)


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ((1, 1, 0), True),
        ((10, 2 | 0x80000, 17), True),
        ((16, 3, 0), True),
        ((16, 3, 12), False),
        ((2, 3, 255), False),
        ((2, 6 | 0x800, 0), False),
        ((17, 3, 768), False),
        ((40, 1, 0), False),
        ((UPPER | 40, 1, 0), False),
        ((16, 3, UPPER | 12), False),
    ],
)
def test_sockets(args: tuple[int, ...], expected: bool) -> None:
    assert is_allowed(made(SERVER), "socket", *args) == expected


def test_options_of_tcp_but_for_upper_layer_protocols() -> None:
    done = made(SERVER)
    denied = [name for name in range(64) if not is_allowed(done, "setsockopt", 3, 6, name)]
    assert denied == [31]
    assert not is_allowed(done, "setsockopt", 3, 6, UPPER | 31)
    assert not is_allowed(done, "setsockopt", 3, 0, 64)
    assert is_allowed(done, "setsockopt", 3, 41, 26) and is_allowed(done, "setsockopt", 3, 1, 2)


def test_memory_is_not_writable_and_executable() -> None:
    done = made(SERVER)
    assert [is_allowed(done, "mmap", 0, 0, prot) for prot in (1, 3, 5, 6, 7)] == [
        *[True] * 3,
        *[False] * 2,
    ]


def test_namespaces_stay_closed_and_threads_open() -> None:
    done = made(SERVER)
    assert is_allowed(done, "clone", 0x3D0F00)
    assert not is_allowed(done, "clone", 0x10000011)


def test_what_was_recorded_is_allowed_with_what_came_with_it() -> None:
    shown = recording(
        calls("program", "socket mmap setsockopt", count=2),
        arguments=[
            *passed("socket", (0, 16), (0, 2), (1, 3), (1, 1), (2, 12), (2, 6)),
            *passed("mmap", (2, 7), (2, 3)),
            *passed("setsockopt", (1, 270), (1, 263), (2, 1), (2, 5)),
        ],
    )
    done = made(shown)
    assert is_allowed(done, "socket", 16, 3, 12) and not is_allowed(done, "socket", 16, 3, 4)
    assert is_allowed(done, "mmap", 0, 0, 7)
    assert is_allowed(done, "setsockopt", 3, 263, 5)
    assert not is_allowed(done, "setsockopt", 3, 263, 13)


def test_a_recorded_type_of_socket_is_for_recorded_protocols() -> None:
    """As of each program that looks up a name: TCP, and netlink's raw socket for routes."""
    arguments = passed("socket", (0, 16), (0, 2), (1, 3), (1, 1), (2, 0), (2, 6))
    done = made(recording(calls("program", "socket", count=2), arguments=arguments))
    assert is_allowed(done, "socket", 16, 3, 0) and is_allowed(done, "socket", 2, 1, 6)
    assert is_allowed(done, "socket", 2, 3, 6), "which came together is not recorded"
    assert [each for each in range(256) if is_allowed(done, "socket", 2, 3, each)] == [0, 6]
    assert [each for each in range(32) if is_allowed(done, "socket", 16, 1, each)] == [0, 6]
    assert not is_allowed(done, "socket", 16, 2, 6)


@pytest.mark.parametrize(
    ("name", "index", "harmless", "denied"),
    [
        # TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIOCLEX, SIOCGIFFLAGS, FICLONE, FS_IOC_GETFLAGS;
        # TCGETS2, TCSETS2, TCSETSW2, TCSETSF2: tcgetattr, isatty and tcsetattr of glibc 2.42;
        # TIOCSTI, TIOCLINUX, TIOCCONS, TIOCSETD, SIOCSIFFLAGS, KVM_CREATE_VM, watch queues
        (
            "ioctl",
            1,
            (
                *(0x5401, 0x5413, 0x541B, 0x5421, 0x5451, 0x8913, 0x40049409, 0x80086601),
                *(0x802C542A, 0x402C542B, 0x402C542C, 0x402C542D),
            ),
            (0x5412, 0x541C, 0x541D, 0x5423, 0x8914, 0xAE01, 0x5760),
        ),
        # PDEATHSIG, SET_NAME, NO_NEW_PRIVS, CAP_AMBIENT, SET_VMA; SET_SECCOMP, SET_MM,
        # SET_SPECULATION_CTRL, SET_SYSCALL_USER_DISPATCH, SCHED_CORE, SET_PTRACER
        ("prctl", 0, (1, 15, 38, 47, 0x53564D41), (22, 35, 53, 59, 62, 0x59616D61)),
        # DUPFD, SETFL, SETLKW, OFD_SETLK, DUPFD_CLOEXEC, ADD_SEALS; SETLEASE, NOTIFY, SETPIPE_SZ
        ("fcntl", 1, (0, 4, 7, 37, 1030, 1033), (1024, 1026, 1031)),
        # DONTNEED, FREE, HUGEPAGE, COLLAPSE, GUARD_INSTALL; REMOVE, HWPOISON, SOFT_OFFLINE
        ("madvise", 2, (4, 8, 14, 25, 102), (9, 100, 101)),
    ],
)
def test_requests_by_number(
    name: str, index: int, harmless: tuple[int, ...], denied: tuple[int, ...]
) -> None:
    """The first denied one was recorded. The kernel ignores the upper half."""
    shown = recording(calls("program", name), arguments=passed(name, (index, denied[0])))
    done = made(shown)

    def allowed(value: int) -> bool:
        return is_allowed(done, name, *([0] * index), value)

    assert all(allowed(value) and allowed(UPPER | value) for value in (*harmless, denied[0]))
    assert not any(allowed(value) or allowed(UPPER | value) for value in denied[1:])


def test_a_call_without_recorded_arguments_is_not_limited() -> None:
    done = made(recording(calls("program", "socket setsockopt")))
    assert is_allowed(done, "socket", 17, 3, 768)
    assert is_allowed(done, "setsockopt", 3, 6, 31)


def test_arguments_without_their_call_count_as_recorded() -> None:
    """A recording may be edited, or have lost the count of a call."""
    done = made(recording(calls("program", "read"), arguments=passed("socket", (0, 2), (1, 1))))
    assert not is_allowed(done, "socket", 17, 3, 768)


def test_a_call_that_no_run_made_gets_harmless_arguments() -> None:
    done = made(recording(calls("program", "bind")))  # a family adds setsockopt
    assert is_allowed(done, "setsockopt", 3, 1, 2) and not is_allowed(done, "setsockopt", 3, 6, 31)


def test_it_can_be_switched_off_and_is_said() -> None:
    assert is_allowed(made(SERVER, any_args=True), "setsockopt", 3, 6, 31)
    assert any("--any-args" in line and "setsockopt" in line for line in made(SERVER).warnings)


def test_it_puts_known_vulnerabilities_out_of_reach() -> None:
    def reached(done: AssembledProfile) -> set[str]:
        stack = FilterStack([StackLayer(read_meaning(done.profile, Arch.X86_64))])
        return {
            row.cve
            for row in load_kernel_cves().cves
            if all(any(stack.lets_pass(call) for call in step) for step in row.needs)
        }

    limited, free = reached(made(SERVER)), reached(made(SERVER, any_args=True))
    assert limited < free
    assert {"CVE-2023-0461", "CVE-2024-26824", "CVE-2017-6074"} <= free - limited


def test_the_command_has_the_option(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_bytes(msgspec.json.encode(SERVER))

    def conditions(*words: str) -> int:
        done = CliRunner().invoke(cli, ["generate", str(file), *words])
        assert done.exit_code == 0, done.output
        rules = json.loads(done.stdout)["syscalls"]
        return sum(bool(rule.get("args")) for rule in rules if "setsockopt" in rule["names"])

    assert conditions() > 0 and conditions("--any-args") == 0
