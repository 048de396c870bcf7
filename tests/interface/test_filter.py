"""profile test, filter disassemble and filter decompile, run as a user runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from seclatch.model.arch import Arch
from seclatch.profile.compile.compile_profile import Runtime, compile_profile
from seclatch.profile.parse.load_profile import load_profile

RUN = "from seclatch.cli.main import main; main()"
PROFILE = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "defaultErrnoRet": 1,
    "architectures": ["SCMP_ARCH_X86_64"],
    "syscalls": [
        {"names": ["read", "openat"], "action": "SCMP_ACT_ALLOW"},
        {
            "names": ["socket"],
            "action": "SCMP_ACT_ALLOW",
            "args": [{"index": 0, "value": 2, "op": "SCMP_CMP_EQ"}],
        },
    ],
}


def seclatch(*args: str | Path, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "NO_COLOR": "1"}
    command = [sys.executable, "-c", RUN, *map(str, args)]
    return subprocess.run(command, capture_output=True, env=env, input=data, check=False)


def valid(output: bytes, schema: str) -> Any:
    text = resources.files("seclatch.data").joinpath("schemas", f"{schema}.json").read_text()
    document = json.loads(output)
    jsonschema.validate(document, json.loads(text))
    return document


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    path = tmp_path / "p.json"
    path.write_text(json.dumps(PROFILE))
    return path


@pytest.fixture(params=[Runtime.CRUN, Runtime.RUNC], ids=lambda runtime: runtime.value)
def program(profile: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    compiled = compile_profile(load_profile(profile), runtime=request.param, native=Arch.X86_64)
    path = tmp_path / "p.bpf"
    path.write_bytes(compiled.code)
    return path


def on_x86(profile: Path, *args: str) -> subprocess.CompletedProcess[bytes]:
    return seclatch("profile", "test", "--arch", "x86_64", "--runtime", "crun", profile, *args)


def test_a_call_gets_its_verdict_and_the_rule(profile: Path) -> None:
    done = on_x86(profile, "openat(AT_FDCWD, …)", "socket(AF_INET)", "write(1)")
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode().splitlines() == [
        "openat(AT_FDCWD, …): SCMP_ACT_ALLOW",
        "  by rule 0 at line 1 (any arguments)",
        "socket(AF_INET): SCMP_ACT_ALLOW",
        "  by rule 1 at line 1 (arg0 == 0x2)",
        "write(1): SCMP_ACT_ERRNO(1)",
        "  by the default action",
    ]


def test_an_open_argument_that_matters_gives_every_answer(profile: Path) -> None:
    document = valid(on_x86(profile, "--json", "socket()").stdout, "profile-verdicts-1")
    answers = {one["action"]: one["condition"] for one in document["calls"][0]["answers"]}
    assert answers == {"SCMP_ACT_ALLOW": "arg0 == 0x2", "SCMP_ACT_ERRNO(1)": "arg0 != 0x2"}


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ("oepnat()", "x86_64 has no system call 'oepnat' of its own"),
        ("read(FOO)", "the argument 'FOO' is not known"),
        ("read(1,2,3,4,5,6,7)", "7 arguments; a system call has at most 6"),
        ("read(1", "is not a call such as openat"),
        ("read(\x1b[31m)", "is not known"),
    ],
)
def test_a_bad_call_is_an_error(profile: Path, call: str, reason: str) -> None:
    done = on_x86(profile, call)
    assert done.returncode == 2
    assert reason in done.stderr.decode() and b"\x1b" not in done.stderr
    assert done.stdout == b""


def test_a_table_passes_or_fails(profile: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.txt"
    table.write_text("# expected\nx86_64 read() ALLOW\nx86_64 socket(AF_UNIX) ERRNO(EPERM)\n")
    done = on_x86(profile, "--table", str(table))
    assert (done.returncode, done.stdout) == (0, b"2 of 2 rows as expected\n")
    table.write_text("x86_64 read() ALLOW\n\nx86_64 socket() ALLOW\n")
    done = on_x86(profile, "--table", str(table))
    assert done.returncode == 1
    assert f"{table}: line 3: x86_64 socket(): expected SCMP_ACT_ALLOW, got" in done.stdout.decode()
    document = valid(on_x86(profile, "--json", "--table", str(table)).stdout, "profile-verdicts-1")
    assert [row["passed"] for row in document["rows"]] == [True, False]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the table has no rows"),
        ("x86_64 read()\n", "line 1: 'x86_64 read()' is not `arch  call  action`"),
        ("\nvax read() ALLOW", "line 2: unknown architecture 'vax'"),
        ("x86_64 read() PERMIT", "line 1: unknown action"),
        ("x86_64 read() ERRNO(EFOO)", "line 1: unknown errno 'EFOO'"),
    ],
)
def test_a_bad_table_is_an_error(profile: Path, tmp_path: Path, text: str, reason: str) -> None:
    table = tmp_path / "table.txt"
    table.write_text(text)
    done = on_x86(profile, "--table", str(table))
    assert done.returncode == 2 and reason in done.stderr.decode()


def test_a_program_is_listed_with_names(program: Path) -> None:
    done = seclatch("filter", "disassemble", program)
    assert done.returncode == 0
    text = done.stdout.decode()
    assert "AUDIT_ARCH_X86_64" in text and "openat" in text and "SCMP_ACT_ERRNO(1)" in text
    piped = seclatch("filter", "disassemble", "--json", "-", data=program.read_bytes())
    lines = valid(piped.stdout, "filter-listing-1")["lines"]
    assert len(lines) == program.stat().st_size // 8 == len(text.splitlines())


def test_a_program_gives_the_profile_back(program: Path) -> None:
    document = valid(
        seclatch("filter", "decompile", "--json", program).stdout, "filter-decompiled-1"
    )
    # runc's stub is not part of the profile: it is reported beside it.
    assert {one["verdict"] for one in document["kept"]} <= {"SCMP_ACT_ERRNO(38)"}
    (profile,) = document["profiles"]
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO" and profile["defaultErrnoRet"] == 1
    assert [rule["names"] for rule in profile["syscalls"]] == [["openat", "read"], ["socket"]]
    assert json.loads(seclatch("filter", "decompile", program).stdout) == profile


def test_a_program_that_the_kernel_rejects_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.bpf"
    path.write_bytes(bytes.fromhex("1500050000000000060000000000ff7f"))
    for command in ("disassemble", "decompile"):
        done = seclatch("filter", command, path)
        assert done.returncode == 2 and done.stdout == b""
        message = done.stderr.decode()
        assert "instruction 0: the kernel refuses this program: jump over 5 instructions" in message
        assert "EINVAL from bpf_check_classic" in message


def test_a_filter_without_architecture_requires_one(tmp_path: Path) -> None:
    path = tmp_path / "any.bpf"
    path.write_bytes(bytes.fromhex("060000000000ff7f"))
    done = seclatch("filter", "decompile", path)
    assert done.returncode == 2 and b"--arch" in done.stderr
    done = seclatch("filter", "decompile", "--arch", "arm64", path)
    assert json.loads(done.stdout)["architectures"] == ["SCMP_ARCH_AARCH64"]
