"""`seclatch profile port` as a user runs it."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.interface.test_profile import schema, seclatch

PROFILE = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
    "syscalls": [
        {"names": ["read", "iopl", "fork"], "action": "SCMP_ACT_ALLOW"},
        {
            "names": ["open"],
            "action": "SCMP_ACT_ALLOW",
            "args": [{"index": 1, "value": 3, "op": "SCMP_CMP_MASKED_EQ"}],
        },
    ],
}


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    path = tmp_path / "x86.json"
    path.write_text(json.dumps(PROFILE))
    return path


def test_the_profile_goes_to_stdout_and_each_change_to_stderr(profile: Path) -> None:
    done = seclatch("port", "--to", "arm64", profile)
    assert done.returncode == 0
    ported = json.loads(done.stdout)
    assert ported["architectures"] == ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]
    message = done.stderr.decode()
    assert "replaced: fork → clone: does not exist on aarch64" in message
    assert "argument 1 is argument 2 there" in message
    assert "dropped: iopl: does not exist on aarch64, and nothing does the same" in message
    assert "added: uname: static glibc" in message
    opened = next(rule for rule in ported["syscalls"] if "openat" in rule["names"])
    assert opened["args"][0]["index"] == 2


def test_a_program_s_rules_are_ported(profile: Path, tmp_path: Path) -> None:
    """The docs promise that every subcommand accepts a raw BPF program in place of a profile."""
    code = seclatch("compile", "--runtime", "crun", "--arch", "x86_64", profile).stdout
    (tmp_path / "x86.bpf").write_bytes(code)
    done = seclatch("port", "--from", "x86_64", "--to", "arm64", tmp_path / "x86.bpf")
    assert done.returncode == 0, done.stderr
    names = {name for rule in json.loads(done.stdout)["syscalls"] for name in rule["names"]}
    assert {"read", "openat", "clone"} <= names
    assert b"dropped: iopl" in done.stderr


def test_for_machines(profile: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    done = seclatch("port", "--to", "aarch64", "--json", "-o", out, profile)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    value: dict[str, Any] = json.loads(out.read_text())
    jsonschema.validate(value, schema("profile-port-1.json"))
    assert (value["from"], value["to"]) == ("x86_64", "aarch64")
    (tmp_path / "arm.json").write_text(json.dumps(value["profile"]))
    back = seclatch("port", "--to", "x86_64", tmp_path / "arm.json")
    names = {name for rule in json.loads(back.stdout)["syscalls"] for name in rule["names"]}
    assert {"open", "fork", "vfork", "read", "arch_prctl"} <= names


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["--to", "vax", "{}"], 2, "unknown architecture 'vax'"),
        (["--to", "s390x", "{}"], 2, "one of x86_64, aarch64, riscv64"),
        (["--to", "aarch64", "--from", "arm64", "{}"], 2, "it is for aarch64 already"),
        (["--to", "aarch64", "/no/such"], 2, "cannot read it"),
        (["{}"], 2, "Missing option '--to'"),
    ],
)
def test_impossible_targets(profile: Path, words: list[str], status: int, message: str) -> None:
    done = seclatch("port", *(word.format(profile) for word in words))
    assert (done.returncode, done.stdout) == (status, b"")
    assert message in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()


def test_a_conditional_profile_names_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "docker.json"
    path.write_text(
        json.dumps(
            {
                **PROFILE,
                "architectures": [],
                "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": []}],
            }
        )
    )
    done = seclatch("port", "--to", "aarch64", path)
    assert done.returncode == 2
    assert "what to do: seclatch profile resolve" in done.stderr.decode()


def test_one_profile_for_both(profile: Path, tmp_path: Path) -> None:
    """An engine on either machine derives the source's profile or the ported one from it."""
    both = tmp_path / "both.json"
    assert seclatch("port", "--to", "aarch64", "--both", "-o", both, profile).returncode == 0
    x86, arm = (
        json.loads(seclatch("resolve", "--arch", arch, both).stdout) for arch in ("amd64", "arm64")
    )
    assert x86["architectures"] == PROFILE["architectures"]
    assert arm["architectures"] == ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]
    assert x86["syscalls"] == PROFILE["syscalls"]
    assert "openat" in {name for rule in arm["syscalls"] for name in rule["names"]}
    assert seclatch("port", "--to", "arm64", "--both", "--format", "oci", profile).returncode == 2
