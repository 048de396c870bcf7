"""Arguments compared with recorded values and a scan's constants: by default, and by --args."""

from __future__ import annotations

import msgspec
import pytest

from seclatch.model.arch import Arch
from seclatch.model.profile.profile import Profile, Rule
from seclatch.model.scan import CallChain, PassedArgument, Scan, ScannedProgram, UnresolvedCall
from seclatch.profile.generate.arguments.scanned_arguments import (
    narrow_added,
    narrow_with_scan,
    read_scanned_arguments,
)

PROGRAM = ScannedProgram(
    "/bin/a",
    "x86_64",
    "",
    (),
    tuple(CallChain(name, 0, ()) for name in ("fcntl", "ioctl", "prctl", "socket", "keyctl")),
    arguments=(
        PassedArgument("fcntl", 1, (1, 3)),
        PassedArgument("ioctl", 1, (0x5421,), ("a:f",)),
        PassedArgument("prctl", 0, (15,)),
        PassedArgument("socket", 0, (1, 2)),
    ),
)
SCAN = Scan("image", (PROGRAM,))


def narrowed(names: str, recorded: dict[tuple[str, int], set[int]], scan: Scan = SCAN) -> set[str]:
    scanned = read_scanned_arguments(scan, [])
    rules = narrow_with_scan(names.split(), recorded, scanned)
    return {f"{rule.names[0]} {rule.args[0].value_two}" for rule in rules}


def test_recorded_values_and_constants_are_joined() -> None:
    assert narrowed("fcntl", {("fcntl", 1): {2}}) == {"fcntl 1", "fcntl 2", "fcntl 3"}


def test_a_call_recorded_without_its_argument_is_left_whole() -> None:
    assert narrowed("fcntl socket", {("socket", 0): {2}}) == {"socket 1", "socket 2"}


@pytest.mark.parametrize("name", ["ioctl", "keyctl"])
def test_what_is_no_constant_opens_the_call_and_is_reported(name: str) -> None:
    index = {"ioctl": 1, "keyctl": 0}[name]
    assert narrowed(name, {(name, index): {2}}) == set()
    compared, opened = read_scanned_arguments(SCAN, []).describe([(name, index), ("fcntl", 1)])
    assert "fcntl argument 1" in compared and name not in compared
    assert f"no constant: {name} argument {index} (" in opened and "fcntl" not in opened


@pytest.mark.parametrize(
    ("scan", "unscanned", "reason"),
    [
        (SCAN, ["/bin/sh"], "/bin/sh was not scanned"),
        (
            Scan("", (msgspec.structs.replace(PROGRAM, open=(UnresolvedCall("", "", 0, ""),)),)),
            [],
            "open",
        ),
        (Scan("", (msgspec.structs.replace(PROGRAM, arguments=None),)), [], "scan again"),
    ],
)
def test_a_scan_that_does_not_know_all_closes_nothing(
    scan: Scan, unscanned: list[str], reason: str
) -> None:
    scanned = read_scanned_arguments(scan, unscanned)
    assert not scanned.closes("fcntl", 1)
    assert narrow_with_scan(["fcntl"], {("fcntl", 1): {2}}, scanned) == []
    [line] = scanned.describe([("fcntl", 1)])
    assert reason in line and "fcntl" in line


def test_calls_that_a_scan_adds_are_compared_too() -> None:
    rule = Rule(("ioctl", "prctl", "read"), "SCMP_ACT_ALLOW", comment="found")
    profile = Profile("SCMP_ACT_ERRNO", (rule,), (Arch.X86_64,))
    done = narrow_added(profile, {"ioctl", "prctl"}, read_scanned_arguments(SCAN, []))
    assert [(each.names, bool(each.args)) for each in done.rules] == [
        (("ioctl", "read"), False),
        (("prctl",), True),
    ]
