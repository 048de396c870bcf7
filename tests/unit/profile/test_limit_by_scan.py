"""With a scan, of harmless arguments those alone that its programs pass, and ordinary ones."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seclatch.model.arch import Arch
from seclatch.model.recording.recording import Recording
from seclatch.model.scan import CallChain, PassedArgument, Scan, ScannedProgram, UnresolvedCall
from seclatch.profile.curated.harmless_arguments import MaskedValue, load_harmless_arguments
from seclatch.profile.generate.assemble_profile import (
    AssembledProfile,
    AssemblyOptions,
    assemble_profile,
)
from seclatch.profile.generate.explain_profile import explain_profile, list_reasons
from seclatch.profile.generate.generate_profile import GeneratorOptions
from seclatch.profile.generate.limits.limit_arguments import _select_values
from tests.unit.profile.test_limit_arguments import UPPER, is_allowed, passed
from tests.unit.recordings import calls, recording

NAMES = ("fcntl", "prctl", "setsockopt", "socket", "ioctl")
ROWS = (
    PassedArgument("fcntl", 1, (4, 8, 1026)),
    PassedArgument("prctl", 0, (8,)),
    PassedArgument("setsockopt", 1, (0, 6)),
    PassedArgument("setsockopt", 2, (1, 32, 31)),
    PassedArgument("socket", 0, (2, 40)),
    PassedArgument("ioctl", 1, (0x5421,), ("libx.so:f",)),
)
PROGRAM = ScannedProgram(
    "/usr/bin/app",
    "x86_64",
    "",
    (),
    tuple(CallChain(name, 0, ()) for name in NAMES),
    arguments=ROWS,
)
SCAN = Scan("image", (PROGRAM,), followed=("/usr/bin/app",))
RECORDED = recording(
    calls("program", "read fcntl socket"),
    arguments=[*passed("fcntl", (1, 4)), *passed("socket", (0, 2), (1, 1), (2, 0))],
)


def made(shown: Recording = RECORDED, scan: Scan = SCAN, **options: Any) -> AssembledProfile:
    return assemble_profile([shown], AssemblyOptions(scan=scan, **options))


def changed(**fields: Any) -> Scan:
    return msgspec.structs.replace(SCAN, programs=(msgspec.structs.replace(PROGRAM, **fields),))


@pytest.mark.parametrize(
    ("call", "args"),
    {
        "recorded": ("fcntl", (0, 4)),
        "in the binaries": ("fcntl", (0, 8)),
        "ordinary: F_DUPFD_CLOEXEC of a shell": ("fcntl", (0, 1030)),
        "upper half": ("fcntl", (0, UPPER | 8)),
        "another process of the container: PR_SET_NAME": ("prctl", (15,)),
        "IP_MULTICAST_IF, in the binaries": ("setsockopt", (0, 0, 32)),
        "SOL_SOCKET by any name": ("setsockopt", (0, 1, 33)),
        "not constant: by kind": ("ioctl", (0, 0x8910)),
    }.values(),
)
def test_allowed(call: str, args: tuple[int, ...]) -> None:
    assert is_allowed(made(), call, *args)


@pytest.mark.parametrize(
    ("call", "args"),
    {
        "harmless, but not in the binaries: F_ADD_SEALS": ("fcntl", (0, 1033)),
        "in the binaries, but not harmless: F_NOTIFY": ("fcntl", (0, 1026)),
        "PR_SET_SECUREBITS": ("prctl", (28,)),
        "IP_ADD_MEMBERSHIP": ("setsockopt", (0, 0, 35)),
        "TCP_ULP, in the binaries, not harmless": ("setsockopt", (0, 6, 31)),
        "SOL_NETLINK": ("setsockopt", (0, 270, 1)),
        "AF_UNIX": ("socket", (1, 1, 0)),
        "AF_VSOCK, in the binaries, not harmless": ("socket", (40, 1, 0)),
    }.values(),
)
def test_denied(call: str, args: tuple[int, ...]) -> None:
    done = made()
    assert not is_allowed(done, call, *args)
    assert is_allowed(made(wider=(call,)), call, *args)
    assert any(f"{call} argument" in line and "--any-args" in line for line in done.warnings)


@pytest.mark.parametrize(
    ("done", "reason"),
    {
        "execve": (lambda: made(allow=("execve",)), "allows execve"),
        "open": (
            lambda: made(scan=changed(open=(UnresolvedCall("", "", 0, ""),))),
            "the scan is open",
        ),
        "old": (lambda: made(scan=changed(arguments=None)), "scan again"),
        "plain": (lambda: made(generator=GeneratorOptions(plain="runc")), "binds runc, too"),
    }.values(),
)
def test_harmless_ones_stay_where_programs_are_bound_that_were_not_scanned(
    done: Any, reason: str
) -> None:
    """Of another program nothing is known but what is harmless for any."""
    found = done()
    assert is_allowed(found, "fcntl", 0, 1033) and is_allowed(found, "setsockopt", 0, 0, 35)
    assert not is_allowed(found, "fcntl", 0, 1026)
    assert any(reason in line and "fcntl" in line for line in found.warnings)


def test_a_recorded_value_that_the_scan_lacks_opens_the_argument() -> None:
    """Code is hidden from such a scan, and may pass further values."""
    shown = recording(calls("program", "fcntl"), arguments=passed("fcntl", (1, 1033)))
    done = made(shown)
    assert is_allowed(done, "fcntl", 0, 1033) and is_allowed(done, "fcntl", 0, 36)
    assert any("0x409 was recorded and not found" in line for line in done.warnings)


def test_an_earlier_scan_has_no_names_of_options() -> None:
    rows = tuple(row for row in ROWS if (row.call, row.index) != ("setsockopt", 2))
    done = made(scan=changed(arguments=rows))
    assert is_allowed(done, "setsockopt", 0, 0, 35)
    assert not is_allowed(done, "setsockopt", 0, 270, 1)


def test_it_can_be_switched_off() -> None:
    assert is_allowed(made(any_args=True), "fcntl", 0, 1033)
    assert is_allowed(made(any_args=True), "fcntl", 0, 1026)
    assert not is_allowed(made(generator=GeneratorOptions(narrow=True)), "fcntl", 0, 1030)


def test_each_condition_has_its_reason_and_left_out_values_theirs() -> None:
    done = made()
    reasons = explain_profile(done, [RECORDED], SCAN)
    [fcntl] = [each for each in reasons.allowed if each.call == "fcntl"]
    assert [each.condition for each in fcntl.argument_reasons] == fcntl.arguments
    [kept] = [row for row in fcntl.argument_reasons if "recorded 0x4 (1)" in row.reason]
    [found] = [row for row in fcntl.argument_reasons if "in the binaries 0x8" in row.reason]
    assert kept.kind == found.kind == "ordinary" and "leases" in fcntl.harmless
    [both] = [each for each in reasons.allowed if each.call == "setsockopt"]
    kinds = {row.condition: row.kind for row in both.argument_reasons}
    name = "arg1 & 0xffffffff == 0x0 and arg2 & 0xffffffff == 0x20"
    assert kinds[name] == "scan", kinds
    left = {(each.call, each.index, each.value) for each in reasons.left_out_arguments}
    assert {("fcntl", 1, 1026), ("socket", 0, 40)} <= left
    text = "\n".join(list_reasons(reasons))
    assert "fcntl, argument 1 0x402: not allowed: in the binaries" in text
    assert "; --wider fcntl allows it" in text


@given(st.sets(st.integers(0, 31) | st.integers(0, 0xFFFFFFFF), max_size=40))
def test_few_comparisons_hold_for_the_given_values_alone(values: set[int]) -> None:
    compared = MaskedValue(1, 0xFFFFFFE0, 0)
    found = _select_values(compared, values)
    held = {v for v in (*range(64), *values) if any(v & e.mask == e.value for e in found)}
    assert held == {value for value in values if value < 32}
    assert len(found) <= len(held)


def test_ordinary_values_are_harmless_ones() -> None:
    for row in load_harmless_arguments():
        for ordinary in row.ordinary:
            compared = [e for c in row.harmless for e in c if e.index == ordinary.index]
            for value in ordinary.values:
                assert any(value & e.mask == e.value for e in compared), (row.call, value)


def test_arm64_has_the_same_numbers() -> None:
    """All values of the file are of <asm-generic>: recordings of both get the same limits."""
    host = msgspec.structs.replace(RECORDED.hosts[0], arch="aarch64")
    rows = [msgspec.structs.replace(each, arch="aarch64") for each in RECORDED.calls]
    arguments = [msgspec.structs.replace(each, arch="aarch64") for each in RECORDED.arguments]
    shown = recording(rows, hosts=[host], arguments=arguments)
    done = made(shown)
    assert done.profile.architectures[0] is Arch.AARCH64
    assert any("fcntl argument 1" in line for line in done.warnings)
