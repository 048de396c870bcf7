"""Writing profiles: what a format can carry comes back, what it cannot is named."""

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from profiles import profiles, resolved_profiles

from seclatch.errors import SeclatchError
from seclatch.model.action import Operator
from seclatch.model.arch import Arch
from seclatch.model.profile import Arg, Profile, Rule
from seclatch.profile.export.formats import FORMATS, write
from seclatch.profile.load import parse


@given(profiles())
def test_docker_carries_everything(profile: Profile) -> None:
    assert parse(write(profile, "docker").text, "x") == profile


@given(resolved_profiles())
def test_oci_carries_a_resolved_profile(profile: Profile) -> None:
    bare = write(profile, "oci").text
    assert parse(bare, "x") == replace(profile, flags=profile.flags or None)
    assert parse(json.dumps({"linux": {"seccomp": json.loads(bare)}}), "x") == parse(bare, "x")


@given(resolved_profiles())
def test_kubernetes_names_what_it_loses(profile: Profile) -> None:
    written = write(profile, "kubernetes")
    back = parse(written.text, "x")
    assert [rule.names for rule in back.rules] == [rule.names for rule in profile.rules]
    assert [rule.args for rule in back.rules] == [rule.args for rule in profile.rules]
    assert [rule.errno for rule in back.rules] == [rule.errno for rule in profile.rules]
    if back.default != profile.default:
        assert any("defaultErrnoRet" in warning for warning in written.warnings)
    if back.architectures != profile.architectures:
        assert any("architecture" in warning for warning in written.warnings)


ALLOWLIST = Profile(
    "SCMP_ACT_ERRNO",
    default_errno=38,
    architectures=(Arch.X86_64, Arch.X86),
    rules=(
        Rule(("read", "write"), "SCMP_ACT_ALLOW"),
        Rule(("clone3",), "SCMP_ACT_ERRNO", 1),
        Rule(("socket",), "SCMP_ACT_ALLOW", args=(Arg(0, Operator.EQ, 1),)),
        Rule(("bpf",), "SCMP_ACT_KILL_PROCESS"),
        Rule(("mkdir",), "SCMP_ACT_LOG"),
        Rule(("acct",), "SCMP_ACT_TRAP"),
    ),
)


def test_systemd_allowlist() -> None:
    written = write(ALLOWLIST, "systemd")
    assert written.text == (
        "# Written by seclatch.\n"
        "[Service]\n"
        "SystemCallArchitectures=native x86-64 x86\n"
        "SystemCallErrorNumber=ENOSYS\n"
        "SystemCallFilter=read write mkdir\n"
        "SystemCallFilter=~clone3:EPERM bpf:kill acct:kill\n"
    )
    assert [warning.split(":")[0] for warning in written.warnings[1:]] == [
        "rule 2 (socket)",
        "rule 4 (mkdir)",
        "rule 5 (acct)",
    ]
    assert "@default" in written.warnings[0]


def test_systemd_denylist() -> None:
    rules = (
        Rule(("socket",), "SCMP_ACT_ERRNO", 97, (Arg(0, Operator.EQ, 16),)),
        Rule(("bpf",), "SCMP_ACT_ERRNO"),
        Rule(("read",), "SCMP_ACT_ALLOW"),
    )
    written = write(Profile("SCMP_ACT_ALLOW", rules), "systemd")
    assert "SystemCallFilter=~socket:EAFNOSUPPORT bpf:EPERM\n" in written.text
    assert len(written.warnings) == 1


def test_systemd_has_no_logging_default() -> None:
    with pytest.raises(SeclatchError, match="SCMP_ACT_LOG"):
        write(Profile("SCMP_ACT_LOG"), "systemd")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
@pytest.mark.parametrize("default", ["SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_ALLOW"])
def test_systemd_understands_it(default: str, tmp_path: Path) -> None:
    arches = (Arch.X86_64, Arch.MIPS64N32, Arch.PPC64LE, Arch.AARCH64, Arch.LOONGARCH64)
    text = write(replace(ALLOWLIST, default_action=default, architectures=arches), "systemd").text
    unit = tmp_path / "seclatch-test.service"
    unit.write_text(f"{text}ExecStart=/bin/true\n")
    verify = ["systemd-analyze", "verify", "--man=no", str(unit)]
    done = subprocess.run(verify, capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if "seclatch-test" in line]
    assert ours == []


def test_containers_common_names_min_kernel() -> None:
    text = """{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
      {"names": ["ptrace"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8"}}]}"""
    profile = parse(text, "x")
    assert write(profile, "docker").warnings == ()
    assert write(profile, "containers-common").warnings == (
        "rule 0 (ptrace): Podman does not read minKernel",
    )


def test_every_format_writes_text() -> None:
    for name in FORMATS:
        assert write(ALLOWLIST, name).text.endswith("\n")
