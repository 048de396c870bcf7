"""Filters of real programs: decompiled and compiled again, they answer every call the same."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from seclatch.filter.boundary_calls import list_boundary_calls
from seclatch.filter.classic_bpf.decode import decode_filter
from seclatch.filter.classic_bpf.simulate import simulate_filter
from seclatch.filter.classic_bpf.verify import find_refusal
from seclatch.filter.evaluate_calls import CallEvaluator
from seclatch.model.action import Operator
from seclatch.model.arch import Arch
from seclatch.model.filter import Filter
from seclatch.model.profile.profile import Arg, Profile, Rule
from seclatch.model.seccomp_data import SeccompData
from seclatch.profile.compile.compile_profile import Runtime, compile_profile
from seclatch.profile.compile.resolve_profile import Engine, Host, narrow_profile
from seclatch.profile.parse.load_profile import load_profile
from seclatch.system.read_filters import read_filters
from tests.kernel.probe import Case, agrees, ask
from tests.oracle import round_trip
from tests.styles import NUMBERS, chromium_style, minijail_style

CONTAINERS_COMMON = Path("/usr/share/containers/seccomp.json")
SYSTEMD = sorted(Path("/usr/lib/x86_64-linux-gnu/systemd").glob("libsystemd-shared-*.so"))
LOADER = Path(__file__).parents[1] / "programs" / "systemd_filters.py"


@pytest.mark.parametrize("runtime", list(Runtime), ids=lambda r: r.value)
@pytest.mark.parametrize("arch", [Arch.X86_64, Arch.AARCH64, Arch.S390X], ids=lambda a: a.title)
def test_podmans_default(arch: Any, runtime: str) -> None:
    profile = narrow_profile(
        load_profile(CONTAINERS_COMMON), Host(arch, frozenset(), (6, 18), Engine.PODMAN)
    )
    code = compile_profile(profile, runtime=runtime, native=arch).code
    program = decode_filter(code, "podman", "little" if arch.little else "big")
    found = round_trip(program, arch, runtime)
    (rebuilt,) = found.profiles
    assert set(rebuilt.architectures) == {arch, *profile.architectures}
    assert rebuilt.default == profile.default


def test_a_big_endian_filter() -> None:
    rules = (
        Rule(("read", "write"), "SCMP_ACT_ALLOW"),
        Rule(("socket",), "SCMP_ACT_ALLOW", args=(Arg(1, Operator.GT, 1 << 40 | 5),)),
    )
    profile = Profile("SCMP_ACT_ERRNO", rules, default_errno=13)
    code = compile_profile(profile, runtime=Runtime.LIBSECCOMP, native=Arch.S390X).code
    program = decode_filter(code, "s390x")
    assert program.byteorder == "big"
    (rebuilt,) = round_trip(program, Arch.S390X).profiles
    assert rebuilt.architectures == (Arch.S390X,)


SETTINGS = [
    "SystemCallFilter=@system-service",
    "SystemCallFilter=~@privileged",
    "SystemCallFilter=~@mount",
    "RestrictNamespaces=0",
    "RestrictNamespaces=0x10000000",
    "RestrictSUIDSGID",
    "ProtectKernelTunables",
    "ProtectHostname",
    "LockPersonality",
    "MemoryDenyWriteExecute",
]


@pytest.mark.root
@pytest.mark.skipif(not SYSTEMD and not os.environ.get("CI"), reason="no libsystemd-shared here")
@pytest.mark.parametrize("setting", SETTINGS)
def test_systemds_settings(setting: Any) -> None:
    command = [sys.executable, LOADER, SYSTEMD[-1], setting]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        try:
            assert child.stdout.readline() == "loaded\n"
            filters = read_filters(child.pid)
        finally:
            child.kill()
    assert filters
    for code in filters:
        program = decode_filter(code, setting)
        found = round_trip(program, Arch.X86_64)
        # systemd's filter allows other architectures; a profile cannot.
        assert "other architectures all calls: SCMP_ACT_ALLOW" in "\n".join(map(str, found.kept))


def test_chromium_style() -> None:
    program = chromium_style()
    assert find_refusal(program) is None
    found = round_trip(program, Arch.X86_64)
    (profile,) = found.profiles
    shown = [
        (rule.names, str(rule.effect), [str(arg) for arg in rule.args]) for rule in profile.rules
    ]
    assert (("kill",), "SCMP_ACT_ALLOW", ["arg0 == 0x3e8"]) in shown
    # The flags of a thread, tested first, are within those without namespaces: one rule for both.
    assert (("clone",), "SCMP_ACT_ALLOW", ["arg0 & 0xffffffff7e020000 == 0x0"]) in shown
    kept = "\n".join(map(str, found.kept))
    assert "x86_64 open, openat: SCMP_ACT_TRAP(7)" in kept
    assert "x86_64 clone, kill: SCMP_ACT_TRAP(3)" in kept


def test_minijail_style() -> None:
    program = minijail_style()
    assert find_refusal(program) is None
    (profile,) = round_trip(program, Arch.X86_64).profiles
    shown = {rule.names: [str(arg) for arg in rule.args] for rule in profile.rules}
    assert shown["prctl",] == ["arg0 == 0xf"]
    assert shown["mmap",] == ["arg2 & 0x4 == 0x0"]
    assert shown["lseek",] == ["arg1 <= 0x1ffffffff", "arg2 != 0x2"]


@pytest.mark.parametrize("style", [chromium_style, minijail_style])
def test_live_kernel_answers_as_simulated(prober: Path, style: Any) -> None:
    # Calls that fail harmlessly when allowed: bad descriptors, no such process, no memory.
    rows = [
        (name, args)
        for name in ("kill", "prctl", "lseek", "madvise", "ioctl", "socket", "getppid", "open")
        for args in [
            (0xFFFFFFFF, 0x5401, 0),
            (1000, 99, 2),
            (15, 0, 0),
            ((1 << 63) | 1, 1 << 33, 14),
        ]
        if (name, args[0]) != ("kill", 0xFFFFFFFF)
    ]
    program = style()
    cases = [Case((program,), NUMBERS[name], args) for name, args in rows]
    bare = [Case((), case.number, case.args) for case in cases]
    answers = ask(prober, cases + bare)
    for case, answer, without in zip(cases, answers, answers[len(cases) :], strict=False):
        verdict = simulate_filter(
            program, SeccompData(Arch.X86_64.audit, case.number, tuple(case.args))
        )
        assert agrees(verdict, answer, without), (case.number, case.args, verdict)


def test_table_evaluator_agrees_on_a_real_filter() -> None:
    host = Host(Arch.X86_64, frozenset(), (6, 18), Engine.PODMAN)
    code = compile_profile(
        narrow_profile(load_profile(CONTAINERS_COMMON), host),
        runtime=Runtime.RUNC,
        native=Arch.X86_64,
    ).code
    program = Filter.from_bytes(code)
    evaluator = CallEvaluator(program)
    for arch in (Arch.X86_64, Arch.X86, Arch.X32):
        for call in islice(list_boundary_calls(program, arch), 0, None, 17):
            assert evaluator.value(call) == simulate_filter(program, call).value
