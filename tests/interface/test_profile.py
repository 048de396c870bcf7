"""The profile commands, run as a user runs them."""

import json
import os
import struct
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
from seclatch.system.libseccomp import read_version

RUN = "from seclatch.cli.main import main; main()"
STRICT = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X32"]}],
    "syscalls": [
        {"names": ["read", "wriet"], "action": "SCMP_ACT_ALLOW"},
        {"names": ["bpf"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_BPF"]}},
    ],
}
PLAIN = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}],
}


def seclatch(*args: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "NO_COLOR": "1"}
    command = [sys.executable, "-c", RUN, "profile", *map(str, args)]
    return subprocess.run(command, capture_output=True, env=env, cwd=cwd, check=False)


@pytest.fixture
def strict(tmp_path: Path) -> Path:
    path = tmp_path / "strict.json"
    path.write_text(json.dumps(STRICT, indent=1))
    return path


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    path = tmp_path / "plain.json"
    path.write_text(json.dumps(PLAIN))
    return path


def schema(name: str) -> Any:
    return json.loads(resources.files("seclatch.data").joinpath("schemas", name).read_text())


def test_check_names_file_line_and_remedy(strict: Path) -> None:
    done = seclatch("check", "--arch", "amd64", strict)
    lines = done.stdout.decode().splitlines()
    assert done.returncode == 1
    assert lines[0].startswith(f"{strict}:15:5: error: 'wriet' is no system call")
    assert lines[1] == "  did you mean write?"
    assert any("[x32-open]" in line for line in lines)
    assert not any("[dangerous-syscall]" in line for line in lines)


def test_check_for_another_container(strict: Path) -> None:
    done = seclatch("check", "--cap-add", "bpf", strict)
    assert b"bpf is allowed" in done.stdout


@pytest.mark.parametrize(
    ("engine", "options", "chown", "bpf"),
    [
        ("docker", "--cap-add ALL --cap-drop ALL", True, True),
        ("docker", "--cap-add all --cap-drop ALL --cap-drop CHOWN", False, True),
        ("docker", "--cap-add ALL --cap-add BPF --cap-drop BPF", True, False),
        ("docker", "--cap-drop ALL", False, False),
        ("docker", "--cap-drop ALL --cap-add CHOWN --cap-drop CHOWN", True, False),
        ("docker", "--cap-add CHOWN --cap-drop CHOWN", True, False),
        ("podman", "--cap-add ALL --cap-drop CHOWN", False, True),
        ("podman", "--cap-add ALL --cap-add BPF --cap-drop BPF", True, False),
        ("podman", "--cap-drop ALL --cap-add CHOWN --cap-drop CHOWN", True, False),
        ("podman", "--cap-add ALL --cap-drop ALL", None, None),
        ("podman", "--cap-add CHOWN --cap-drop CHOWN", None, None),
    ],
)
def test_capabilities_equal_those_of_the_engine(
    tmp_path: Path, engine: str, options: str, chown: bool | None, bpf: bool | None
) -> None:
    """`tests/engines/test_resolve_engines.py` compares with the engines themselves."""
    file = tmp_path / "caps.json"
    rules = [
        {"names": [name], "action": "SCMP_ACT_ALLOW", "includes": {"caps": [cap]}}
        for name, cap in (("chown", "CAP_CHOWN"), ("bpf", "CAP_BPF"))
    ]
    file.write_text(json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": rules}))
    done = seclatch("resolve", "--engine", engine, *options.split(), file)
    if chown is None:
        assert done.returncode == 2
        assert b"Podman refuses" in done.stderr
        return
    kept = {rule["names"][0] for rule in json.loads(done.stdout).get("syscalls", [])}
    assert kept == {name for name, has in (("chown", chown), ("bpf", bpf)) if has}


def test_check_json_keeps_to_its_schema(strict: Path, plain: Path) -> None:
    done = seclatch("check", "--json", "--arch", "arm64", "--kernel", "5.10.0-8", strict, plain)
    reports = [json.loads(line) for line in done.stdout.splitlines()]
    for each in reports:
        jsonschema.validate(each, schema("profile-check-1.json"))
    assert reports[0]["host"]["architecture"] == "SCMP_ARCH_AARCH64"
    assert reports[0]["host"]["kernel"] == "5.10"
    assert reports[0]["findings"][0]["path"] == "syscalls[0].names[1]"


def test_strict_makes_warnings_fail(tmp_path: Path) -> None:
    path = tmp_path / "kill.json"
    path.write_text('{"defaultAction": "SCMP_ACT_KILL"}')
    assert seclatch("check", path).returncode == 0
    assert seclatch("check", "--strict", path).returncode == 1


def test_names_from_a_profile_do_not_reach_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "evil.json"
    path.write_text(
        json.dumps(PLAIN | {"syscalls": [{"names": ["\x1b[31m\nx"], "action": "SCMP_ACT_ALLOW"}]})
    )
    done = seclatch("check", path)
    assert done.returncode == 2
    assert b"\x1b" not in done.stdout + done.stderr
    assert b"\\x1b[31m" in done.stderr


def test_bad_files_are_named_without_a_traceback(tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    path.write_text('{"defaultAction": "SCMP_ACT_ALOW"}')
    done = seclatch("check", path)
    assert done.returncode == 2
    assert done.stdout == b""
    assert done.stderr.decode().splitlines() == [
        f"seclatch: {path}: line 1, column 19 (defaultAction): unknown action 'SCMP_ACT_ALOW'",
        "  what to do: did you mean SCMP_ACT_ALLOW?",
    ]
    assert seclatch("check", tmp_path / "none.json").returncode == 2


def test_resolve_prints_the_oci_value(strict: Path) -> None:
    value = json.loads(seclatch("resolve", "--arch", "x86_64", "--cap-drop", "all", strict).stdout)
    assert value["architectures"] == ["SCMP_ARCH_X86_64", "SCMP_ARCH_X32"]
    assert [rule["names"] for rule in value["syscalls"]] == [["read", "wriet"]]
    with_caps = json.loads(seclatch("resolve", "--cap-add", "ALL", strict).stdout)
    assert [rule["names"] for rule in with_caps["syscalls"]] == [["read", "wriet"], ["bpf"]]


def test_compile_writes_the_program(plain: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.bpf"
    done = seclatch("compile", "--runtime", "crun", plain, "-o", out)
    assert done.returncode == 0, done.stderr
    assert out.read_bytes() == compile_profile(load_profile(plain), runtime=Runtime.CRUN).code
    result = json.loads(seclatch("compile", "--json", plain).stdout)
    program = compile_profile(load_profile(plain), runtime=Runtime.RUNC)
    jsonschema.validate(result, schema("profile-program-1.json"))
    assert result["code"] == program.code.hex()
    assert result["architectures"] == [Arch.native().scmp]


def test_compile_names_what_it_ignores(strict: Path) -> None:
    assert b"wriet: unknown to libseccomp, ignored" in seclatch("compile", strict).stderr


def test_nothing_half_written(plain: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    done = seclatch("compile", plain, "-o", tmp_path / "no/such/folder")
    assert done.returncode == 2
    assert b"writing" in done.stderr
    assert sorted(tmp_path.iterdir()) == before


def test_convert_names_what_it_resolves(strict: Path) -> None:
    done = seclatch("convert", "--to", "oci", strict)
    assert b"conditions resolved for" in done.stderr
    assert "archMap" not in json.loads(done.stdout)
    kept = json.loads(seclatch("convert", "--to", "docker", strict).stdout)
    assert kept["archMap"] == STRICT["archMap"]


def test_diff_prints_what_to_do_about_undecided_calls(tmp_path: Path) -> None:
    masks = [[(1, 0x11 << n, 1 << n), (2, 3 << n * 7 % 60, 1 << n * 7 % 60)] for n in range(30)]
    rules = [
        {
            "names": ["ioctl"],
            "action": "SCMP_ACT_ALLOW",
            "args": [
                {"index": index, "op": "SCMP_CMP_MASKED_EQ", "value": mask, "valueTwo": value}
                for index, mask, value in args
            ],
        }
        for args in masks
    ]
    paths = tmp_path / "one.json", tmp_path / "other.json"
    for path, some in zip(paths, (rules, rules[1:]), strict=True):
        path.write_text(json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": some}))
    done = seclatch("diff", "--arch", "amd64", *paths)
    lines = done.stdout.decode().splitlines()
    assert done.returncode == 1 and lines[0].startswith("? ioctl: written differently")
    assert lines[3].startswith("    for example with 0x0, ")
    assert lines[4] == "    are there others? ask both: seclatch profile test FILE 'ioctl(…)'"
    document = json.loads(seclatch("diff", "--arch", "amd64", "--json", *paths).stdout)
    jsonschema.validate(document, schema("profile-diff-1.json"))
    for path, verdict in zip(paths, ("ALLOW", "ERRNO(1)"), strict=True):
        call = f"ioctl({lines[3].removeprefix('    for example with ')})"
        asked = seclatch("test", "--arch", "amd64", path, call).stdout.decode()
        assert f"): SCMP_ACT_{verdict}" in asked


def test_merge_reports_what_libseccomp_compiles_wrongly(tmp_path: Path) -> None:
    """The rules are right, the program is not: libseccomp 2.6.0 and 2.6.1 confuse two bounds."""
    bounds = [{"index": 0, "op": "SCMP_CMP_LT", "value": value} for value in (1, (1 << 32) + 7)]
    mask = {"index": 1, "op": "SCMP_CMP_MASKED_EQ", "value": 0xFFFFFFFE, "valueTwo": 0}
    paths = [tmp_path / "one.json", tmp_path / "other.json"]
    for path, args in zip(paths, ([bounds[0]], [bounds[1], mask]), strict=True):
        rules = [{"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": args}]
        path.write_text(json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": rules}))
    merged = tmp_path / "merged.json"
    done = seclatch("merge", "--arch", "amd64", *paths, "-o", merged)
    assert done.returncode == 0, done.stderr
    fault = "makes SCMP_ACT_ERRNO(1) of SCMP_ACT_ALLOW: see `seclatch profile check`"
    checked = seclatch("check", "--arch", "amd64", merged).stdout.decode()
    assert (fault in done.stderr.decode()) == ("[miscompiled" in checked)
    if read_version() == (2, 6, 0):
        assert f"read (x86_64): for some arguments libseccomp 2.6.0 {fault}" in done.stderr.decode()


def test_diff_and_its_schema(strict: Path, plain: Path) -> None:
    line = ["diff", "--arch", "amd64", "--cap-add", "BPF", plain, strict]
    done = seclatch(*line, "--runtime=crun")
    assert done.returncode == 1
    result = done.stdout.decode().splitlines()
    assert result == [
        "+ the whole ABI SCMP_ARCH_X32: was killed, now filtered",
        "+ bpf: newly allowed (x86_64)",
        "    was SCMP_ACT_ERRNO(1) (default)",
        "    now SCMP_ACT_ALLOW",
        "? not compared, and may be wider: wriet: no call of this name is known here",
    ]
    runc = seclatch(*line).stdout.decode().splitlines()
    assert runc[1:4] == [
        "~ calls without a rule, #322 and above: another action (x86_64)",
        "    was SCMP_ACT_ERRNO(1) (default)",
        "    now SCMP_ACT_ERRNO(38) (runc's stub)",
    ]
    value = json.loads(seclatch(*line, "--json").stdout)
    jsonschema.validate(value, schema("profile-diff-1.json"))
    assert [change["effect"] for change in value["changes"]] == ["action", "allowed"]
    assert value["changes"][0]["syscall"] == "#322 and above"
    assert value["uncompared"] == ["wriet: no call of this name is known here"]
    assert seclatch("diff", plain, plain).returncode == 0


def test_a_program_in_place_of_a_profile(plain: Path, tmp_path: Path) -> None:
    """Decompiled, it is equivalent; runc's stub appears as an addition."""
    out = tmp_path / "out.bpf"
    assert seclatch("compile", "--runtime", "crun", plain, "-o", out).returncode == 0
    done = seclatch("diff", "--runtime", "crun", plain, out)
    assert (done.returncode, done.stdout) == (0, b"")
    plain.write_text(json.dumps(PLAIN).replace("read", "mkdirat"))
    assert seclatch("compile", "--runtime", "runc", plain, "-o", out).returncode == 0
    done = seclatch("diff", "--runtime", "runc", plain, out)
    assert (done.returncode, done.stdout) == (0, b"")
    line = ["diff", "--json", "--runtime", "crun", plain, out]
    changes = json.loads(seclatch(*line).stdout)["changes"]
    assert {change["effect"] for change in changes} == {"action"}
    assert {change["after"][0].split()[0] for change in changes} == {"SCMP_ACT_ERRNO(38)"}
    written = json.loads(seclatch("convert", "--to", "docker", out).stdout)
    assert ["mkdirat"] in [rule["names"] for rule in written["syscalls"]]


def test_a_program_for_another_machine(plain: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.bpf"
    assert seclatch("compile", "--arch", "s390x", plain, "-o", out).returncode == 0
    assert (
        b"not for SCMP_ARCH_AARCH64 but for"
        in seclatch("diff", "--arch", "arm64", plain, out).stderr
    )
    again = seclatch("convert", "--arch", "s390x", "--to", "oci", out)
    assert json.loads(again.stdout)["architectures"] == ["SCMP_ARCH_S390X"]


def test_bytes_that_are_neither_profile_nor_program(tmp_path: Path) -> None:
    path = tmp_path / "noise"
    path.write_bytes(bytes(range(64)))
    done = seclatch("convert", "--to", "oci", path)
    assert done.returncode == 2
    assert b"the kernel refuses this program" in done.stderr


def test_merge_and_intersect(strict: Path, plain: Path, tmp_path: Path) -> None:
    out = tmp_path / "merged.json"
    assert seclatch("merge", "--cap-add", "BPF", plain, strict, "-o", out).returncode == 0
    assert {name for rule in load_profile(out).rules for name in rule.names} == {
        "read",
        "bpf",
        "wriet",
    }
    common = json.loads(seclatch("intersect", "--cap-add", "BPF", plain, strict).stdout)
    assert [rule["names"] for rule in common["syscalls"]] == [["read"]]


@pytest.mark.parametrize("command", ["merge", "intersect"])
def test_one_file_is_nothing_to_combine(command: str, plain: Path) -> None:
    done = seclatch(command, plain)
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"give at least two files" in done.stderr


def test_the_empty_profile_is_reported(tmp_path: Path, plain: Path) -> None:
    path = tmp_path / "empty.json"
    path.write_text("{}")
    assert b"[empty-profile]" in seclatch("check", path).stdout
    assert json.loads(seclatch("resolve", path).stdout) is None
    for command in (["compile", path], ["diff", path, plain], ["merge", path, plain]):
        done = seclatch(*command)
        assert done.returncode == 2
        assert b"no seccomp at all" in done.stderr


def test_a_device_or_a_link_as_output_stays_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text(json.dumps(PLAIN))
    target, link, fifo = (tmp_path / name for name in ("target", "link", "fifo"))
    link.symlink_to(target)
    assert seclatch("resolve", path, "-o", link).returncode == 0
    assert link.is_symlink()
    assert "defaultAction" in target.read_text()
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    assert seclatch("resolve", path, "-o", fifo).returncode == 0
    assert b"defaultAction" in os.read(reader, 65536)
    assert fifo.is_fifo()


@pytest.mark.parametrize(
    "text",
    [
        '{"foo": 1}',
        '{"DefaultAction": "SCMP_ACT_ALLOW"}',
        '{"defaultAction": "SCMP_ACT_ALLOW", "Syscalls": []}',
        '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"Names": ["a"]}]}',
        '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["a\\u0000b"]}]}',
        '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["\\ud800"]}]}',
    ],
)
def test_ambiguous_input_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "odd.json"
    path.write_text(text)
    for command in ("check", "resolve", "compile"):
        done = seclatch(command, path)
        assert (done.returncode, done.stdout) == (2, b"")
        assert str(path).encode() in done.stderr


def test_a_manifest_in_json(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    spec = {"defaultAction": "SCMP_ACT_LOG"}
    head = {"apiVersion": "security-profiles-operator.x-k8s.io/v1beta1", "kind": "SeccompProfile"}
    path.write_text(json.dumps(head | {"metadata": {"name": "x"}, "spec": spec}))
    assert b"SCMP_ACT_LOG" in seclatch("resolve", path).stdout


def test_a_profile_that_no_runtime_compiles_is_an_error(tmp_path: Path) -> None:
    """One program cannot serve ABIs of both byte orders."""
    path = tmp_path / "mixed.json"
    path.write_text(json.dumps(PLAIN | {"architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_S390X"]}))
    done = seclatch("check", path)
    assert done.returncode != 0
    assert b"does-not-compile" in done.stdout


def test_many_architectures_compile_at_once(tmp_path: Path) -> None:
    """The forms of runc's stub are the orders of the ABIs, squared: not all are compiled."""
    path = tmp_path / "many.json"
    names = ["X86_64", "X86", "X32", "AARCH64", "ARM", "MIPSEL", "MIPSEL64", "RISCV64", "PPC64LE"]
    path.write_text(json.dumps(PLAIN | {"architectures": [f"SCMP_ARCH_{name}" for name in names]}))
    result = json.loads(seclatch("compile", "--json", path).stdout)
    jsonschema.validate(result, schema("profile-program-1.json"))
    assert not result["alternatives_complete"]


@pytest.mark.parametrize(("names", "forms"), [(["X86_64"], 1), (["X86_64", "X86", "X32"], 4)])
def test_every_form_of_runc_s_stub_is_reported(
    tmp_path: Path, names: list[str], forms: int
) -> None:
    path = tmp_path / "forms.json"
    path.write_text(json.dumps(PLAIN | {"architectures": [f"SCMP_ARCH_{name}" for name in names]}))
    line = ["compile", "--json", "--arch=x86_64", path]
    result = json.loads(seclatch(*line).stdout)
    jsonschema.validate(result, schema("profile-program-1.json"))
    assert result["alternatives_complete"]
    assert len({result["code"], *result["alternatives"]}) == forms
    crun = json.loads(seclatch(*line, "--runtime=crun").stdout)
    jsonschema.validate(crun, schema("profile-program-1.json"))
    assert (crun["alternatives"], crun["alternatives_complete"]) == ([], True)


@pytest.mark.parametrize("name", ["SH", "M68K", "SHEB", "PARISC", "PARISC64"])
def test_a_call_unknown_to_runc_is_reported(tmp_path: Path, name: str) -> None:
    path = tmp_path / "sh.json"
    path.write_text(json.dumps(PLAIN | {"architectures": [f"SCMP_ARCH_{name}"]}))
    done = seclatch("compile", "--runtime=runc", path)
    assert (done.returncode, done.stdout) == (2, b"")
    assert f"runc refuses SCMP_ARCH_{name}, which it has no name for".encode() in done.stderr
    assert b"runc refuses SCMP_ARCH" in seclatch("check", path).stdout


def test_a_program_that_no_kernel_loads_is_named(tmp_path: Path) -> None:
    rules = [
        {
            "names": [name],
            "action": "SCMP_ACT_ALLOW",
            "args": [{"index": 0, "value": (n << 32) + len(name), "op": "SCMP_CMP_EQ"}],
        }
        for name in ("read", "ioctl", "sendto")
        for n in range(400)
    ]
    (tmp_path / "long.json").write_text(
        json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": rules})
    )
    done = seclatch("compile", "-o", tmp_path / "long.bpf", tmp_path / "long.json")
    assert done.returncode == 0
    assert b"a program has 1 to 4096" in done.stderr


def test_diff_compares_programs_beyond_rules(tmp_path: Path) -> None:
    """The program decides by two words of the call at once, which no rule expresses."""
    code = bytearray()
    for instruction in (
        (0x20, 0, 0, 4),
        (0x15, 1, 0, Arch.X86_64.audit),
        (0x06, 0, 0, 0),
        (0x20, 0, 0, 16),
        (0x07, 0, 0, 0),
        (0x20, 0, 0, 24),
        (0x1D, 0, 1, 0),
        (0x06, 0, 0, 0x7FFF0000),
        (0x06, 0, 0, 0x00050001),
    ):
        code += struct.pack("<HBBI", *instruction)
    program, profile = tmp_path / "two-words.bpf", tmp_path / "none.json"
    program.write_bytes(code)
    profile.write_text('{"defaultAction": "SCMP_ACT_ERRNO"}')
    done = seclatch("diff", "--arch", "x86_64", "--json", profile, program)
    assert done.returncode == 1
    found = {each["syscall"]: each["effect"] for each in json.loads(done.stdout)["changes"]}
    assert found["read"] == "undecided"
