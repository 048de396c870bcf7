"""Input files of profile commands: pipes, standard input, programs; and refused ones."""

import json
import os
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest

RUN = "from seclatch.cli.main import main; main()"
PLAIN = b"""{"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64"],
 "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW",
               "includes": {"minKernel": "99.0"}},
  {"names": ["write", "io_uring_setup"], "action": "SCMP_ACT_ALLOW"}]}
"""
COMMANDS = {
    "check": ["check", "--no-notes"],
    "test": ["test", "--arch=x86_64", "FILE", "write()"],
    "resolve": ["resolve"],
    "compile": ["compile", "--arch=x86_64"],
    "convert": ["convert", "--to=docker"],
    "diff": ["diff", "--runtime=crun", "FILE", "OTHER"],
    "merge": ["merge", "FILE", "OTHER"],
    "intersect": ["intersect", "FILE", "OTHER"],
}


def seclatch(
    *args: str | Path, data: bytes | None = None, **more: Any
) -> subprocess.CompletedProcess[bytes]:
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "NO_COLOR": "1"}
    command = [sys.executable, "-c", RUN, *map(str, args)]
    more = {"capture_output": True} | more
    return subprocess.run(command, input=data, env=env, check=False, **more)


def words(command: str, file: str | Path, other: Path) -> list[str]:
    """Return the command line: the profile in place of FILE, or at the end."""
    line = COMMANDS[command]
    line = line if "FILE" in line else [*line, "FILE"]
    return ["profile", *(str({"FILE": file, "OTHER": other}.get(word, word)) for word in line)]


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    path = tmp_path / "plain.json"
    path.write_bytes(PLAIN)
    return path


@pytest.mark.parametrize("command", COMMANDS)
def test_a_pipe_is_accepted_like_a_file(command: str, plain: Path) -> None:
    """It can be read once only: a command that reads the file twice fails here."""
    wanted = seclatch(*words(command, plain, plain))
    assert wanted.stderr == b""
    assert wanted.returncode in (0, 1)
    for name in ("-", "/dev/stdin"):
        found = seclatch(*words(command, name, plain), data=PLAIN)
        assert found.returncode == wanted.returncode, found.stderr
        result = wanted.stdout.replace(str(plain).encode(), name.encode())
        assert found.stdout == result


@pytest.mark.parametrize("command", COMMANDS)
def test_a_program_is_accepted_like_a_profile(command: str, plain: Path, tmp_path: Path) -> None:
    for arch in ("x86_64", "s390x"):  # of either byte order
        program = tmp_path / f"{arch}.bpf"
        other = tmp_path / f"{arch}.json"
        other.write_bytes(PLAIN.replace(b"X86_64", arch.upper().encode()))
        line = ["profile", "compile", "--runtime=crun", f"--arch={arch}", other, "-o", program]
        assert seclatch(*line).returncode == 0
        line = [word for word in words(command, program, other) if not word.startswith("--arch")]
        done = seclatch(*line, f"--arch={arch}")
        assert done.returncode == 0, done.stderr
        assert bool(done.stdout) == (command != "diff")  # which finds no difference
        assert b"write" in done.stdout or command in ("check", "compile", "diff")


def test_a_program_is_checked_by_its_rules(plain: Path, tmp_path: Path) -> None:
    program = tmp_path / "runc.bpf"
    line = ["compile", "--runtime=runc", "--arch=x86_64", plain, "-o", program]
    assert seclatch("profile", *line).returncode == 0
    done = seclatch("profile", "check", "--json", "--arch=x86_64", program)
    report = json.loads(done.stdout)
    jsonschema.validate(report, schema("profile-check-1.json"))
    codes = {finding["code"] for finding in report["findings"]}
    assert {"dangerous-syscall", "compat-closed", "beyond-rules"} <= codes
    assert not {"runc-enosys", "absent-names"} & codes


def test_a_program_is_queried_unchanged(plain: Path, tmp_path: Path) -> None:
    """runc's stub is in it, whichever runtime is named."""
    program = tmp_path / "runc.bpf"
    line = ["compile", "--runtime=runc", "--arch=x86_64", plain, "-o", program]
    assert seclatch("profile", *line).returncode == 0
    line = ["test", "--runtime=crun", "--arch=x86_64", program, "write()", "#9999", "mkdir()"]
    assert seclatch("profile", *line).stdout.decode().splitlines() == [
        "write(): SCMP_ACT_ALLOW",
        "  by rule 1 of what the program decompiles to (any arguments)",
        "#9999: SCMP_ACT_ERRNO(38)",
        "  by the program, in a way that no rule can say",
        "mkdir(): SCMP_ACT_ERRNO(1)",
        "  by the default action",
    ]


def schema(name: str) -> Any:
    return json.loads(resources.files("seclatch.data").joinpath("schemas", name).read_text())


def test_rules_are_counted_as_in_the_file(plain: Path) -> None:
    """Rule 0 is not in force here; the second rule of the file gives the answer."""
    done = seclatch("profile", "test", "--arch=x86_64", plain, "write()")
    assert done.stdout.decode().splitlines()[1] == "  by rule 1 at line 4 (any arguments)"
    done = seclatch("profile", "test", "--arch=x86_64", "--json", plain, "write()")
    result = json.loads(done.stdout)
    jsonschema.validate(result, schema("profile-verdicts-1.json"))
    (answer,) = result["calls"][0]["answers"]
    assert answer["rules"] == [{"index": 1, "line": 4, "column": 3}]


def test_alternatives_are_named_as_such(tmp_path: Path) -> None:
    """With two comparisons of one argument, all comparisons of the rule are alternatives."""
    args = [
        {"index": index, "op": f"SCMP_CMP_{op}", "value": value}
        for index, op, value in ((0, "NE", 0), (0, "NE", 0xFFFFFFFF), (1, "EQ", 77))
    ]
    refused = {"names": ["personality"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13, "args": args}
    file = tmp_path / "either.json"
    file.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [refused]}))
    result = seclatch("profile", "test", file, "personality(0)").stdout.decode()
    assert "SCMP_ACT_ERRNO(13)" in result
    assert "(arg0 != 0x0 or arg0 != 0xffffffff or arg1 == 0x4d)" in result


def test_an_invalid_profile_is_a_finding_too(plain: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    rule = '{"action": "SCMP_ACT_ALLOW", "names": 3}'
    bad.write_text(f'{{"defaultAction": "SCMP_ACT_ERRNO",\n "syscalls": [{rule}]}}')
    gone = tmp_path / "gone.json"
    done = seclatch("profile", "check", "--json", bad, plain, gone)
    reports = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, done.stderr) == (2, b"")
    for report, path in zip(reports, (bad, plain, gone), strict=True):
        jsonschema.validate(report, schema("profile-check-1.json"))
        assert report["file"] == str(path)
    (finding,) = reports[0]["findings"]
    assert (finding["code"], finding["severity"]) == ("not-a-profile", "error")
    assert (finding["path"], finding["line"]) == ("syscalls[0].names", 2)
    assert "Expected `array | null`, got `int`" in finding["message"]
    assert "not-a-profile" not in {each["code"] for each in reports[1]["findings"]}
    assert "No such file" in reports[2]["findings"][0]["message"]


def test_every_error_of_the_format_is_reported(tmp_path: Path) -> None:
    text = """{"defaultAction": "SCMP_ACT_ERNO",
 "architectures": ["SCMP_ARCH_X86"],
 "syscalls": [
  {"names": ["read"], "action": "SCMP_ACT_ALOW"},
  {"names": ["close"], "action": "SCMP_ACT_ALLOW"},
  {"names": ["write"], "action": "SCMP_ACT_ALLOW",
   "args": [{"index": 9, "value": -1, "op": "SCMP_CMP_EG"}]}]}"""
    file = tmp_path / "bad.json"
    file.write_text(text)
    done = seclatch("profile", "check", file)
    assert (done.returncode, done.stdout) == (2, b"")
    lines = [line for line in done.stderr.decode().splitlines() if line.startswith("seclatch")]
    assert [line.partition("(")[2].partition(")")[0] for line in lines] == [
        "defaultAction",
        "syscalls[0].action",
        "syscalls[2].args[0].index",
        "syscalls[2].args[0].value",
        "syscalls[2].args[0].op",
    ]
    found = json.loads(seclatch("profile", "check", "--json", file).stdout)["findings"]
    assert [each["line"] for each in found] == [1, 4, 7, 7, 7]


def test_an_invalid_file_does_not_hide_the_others(plain: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text("{")
    done = seclatch("profile", "check", bad, plain)
    assert done.returncode == 2
    assert b"not JSON" in done.stderr
    assert b"io_uring_setup is allowed" in done.stdout


@pytest.mark.parametrize("command", ["test", "compile", "diff", "resolve", "convert", "merge"])
def test_errors_leave_standard_output_empty(command: str, plain: Path, tmp_path: Path) -> None:
    """With --json too: a program that reads results never takes an error for one."""
    bad = tmp_path / "bad.json"
    bad.write_text('{"linux": []}')
    line = words(command, bad, plain)
    if command in ("test", "compile", "diff"):
        line.append("--json")
    done = seclatch(*line)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"bad.json: line 1, column 11 (linux): Expected `object`" in done.stderr


@pytest.mark.parametrize("place", ["name", "action", "call"])
def test_a_word_of_a_million_letters_is_cut(place: str, tmp_path: Path) -> None:
    word = "a" * (100_000 if place == "call" else 1_000_000)
    changes: dict[str, dict[str, Any]] = {"name": {"names": [word]}, "action": {"action": word}}
    rule = {"names": ["read"], "action": "SCMP_ACT_ALLOW", **changes.get(place, {})}
    path = tmp_path / "long.json"
    path.write_text(json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [rule]}))
    line = ["test", path, f"{word}()"] if place == "call" else ["check", "--strict", path]
    done = seclatch("profile", *line)
    assert done.returncode in (1, 2)
    result = done.stdout + done.stderr
    assert ("aaa…" in result.decode() or b"more characters)" in result) and len(result) < 12000


@pytest.mark.parametrize("words", [["check", "-"], ["merge", "-", "-"]])
def test_standard_input_is_closed(words: list[str]) -> None:
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "NO_COLOR": "1"}
    command = ["sh", "-c", 'exec "$@" <&-', "sh", sys.executable, "-c", RUN, "profile", *words]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "cannot read it: it is closed" in done.stderr
