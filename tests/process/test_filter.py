"""`seclatch filter PID` on live processes, as a user runs it."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from seclatch.errors import SeclatchError
from seclatch.model.arch import Arch
from seclatch.model.process import LiveProcess, LiveThread
from seclatch.model.syscall import load_syscalls
from seclatch.process import live_filters
from seclatch.process.live_filters import read_live_filters
from seclatch.profile.compile.compile_profile import Runtime, compile_profile
from seclatch.profile.parse.load_profile import load_profile
from tests.conftest import Compiler
from tests.process.conftest import expected_layer, running, seclatch

pytestmark = pytest.mark.root

Stacked = Callable[[str, int], AbstractContextManager[int]]

PROFILE: dict[str, Any] = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "architectures": ["SCMP_ARCH_X86_64"],
    "syscalls": [
        {"names": ["mkdir", "rmdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13},
        {
            "names": ["socket"],
            "action": "SCMP_ACT_ERRNO",
            "errnoRet": 1,
            "args": [{"index": 0, "value": 2, "op": "SCMP_CMP_EQ"}],
        },
    ],
}


def valid(text: str, schema: str) -> Any:
    document = json.loads(text)
    found = resources.files("seclatch.data").joinpath("schemas", f"{schema}.json").read_text()
    jsonschema.validate(document, json.loads(found))
    return document


# runc answers ENOSYS above the highest call that it names; crun does not.
ALLOWING: dict[str, Any] = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "syscalls": [
        {
            "names": [
                name for name in load_syscalls(Arch.native()).numbers if name not in ("bpf", "acct")
            ],
            "action": "SCMP_ACT_ALLOW",
        }
    ],
}


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    path = tmp_path / "meant.json"
    path.write_text(json.dumps(PROFILE))
    return path


@pytest.fixture
def allowing(tmp_path: Path) -> Path:
    path = tmp_path / "allowing.json"
    path.write_text(json.dumps(ALLOWING))
    return path


@pytest.fixture
def programs(profile: Path, tmp_path: Path) -> dict[str, Path]:
    """Return the programs that runc and crun compile from the profile."""
    return compiled(profile, tmp_path)


def compiled(profile: Path, tmp_path: Path) -> dict[str, Path]:
    found = {}
    for runtime in (Runtime.RUNC, Runtime.CRUN):
        found[runtime.value] = tmp_path / f"{runtime.value}.bpf"
        code = compile_profile(load_profile(profile), runtime=runtime).code
        found[runtime.value].write_bytes(code)
    return found


def loaded(compiler: Compiler, *files: Path) -> AbstractContextManager[int]:
    return running(compiler("load_files"), *files)


def test_all_layers_are_listed_the_newest_first(stacked: Stacked) -> None:
    with stacked("main", 3) as pid:
        done = seclatch("filter", str(pid))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].endswith("no_new_privs set, 3 filters")
    assert [line.split(":")[0] for line in lines if line.startswith("# filter")] == [
        "# filter 3 of 3",
        "# filter 2 of 3",
        "# filter 1 of 3",
    ]
    returns = [line.split()[-1] for line in lines if "ERRNO" in line]
    assert returns == ["SCMP_ACT_ERRNO(3)", "SCMP_ACT_ERRNO(2)", "SCMP_ACT_ERRNO(1)"]


@pytest.mark.parametrize("road", [(), ("--ptrace",)], ids=["kernel", "ptrace"])
def test_the_raw_program(stacked: Stacked, tmp_path: Path, road: tuple[str, ...]) -> None:
    out = tmp_path / "x.bpf"
    with stacked("main", 3) as pid:
        done = seclatch("filter", str(pid), "--bpf", "--layer", "2", "-o", out, *road)
        assert done.returncode == 0, done.stderr
        assert out.read_bytes() == expected_layer(2)
        several = seclatch("filter", str(pid), "--bpf", "-o", out, *road)
        assert several.returncode == 2 and "choose with --layer" in several.stderr
        none = seclatch("filter", str(pid), "--layer", "4")
        assert none.returncode == 2 and "has no filter 4" in none.stderr


def test_more_layers_than_the_kernel_program_reads(stacked: Stacked) -> None:
    with stacked("main", 70) as pid:
        document = valid(seclatch("filter", str(pid), "--json").stdout, "filter-live-1")
    codes = [bytes.fromhex(one["code"]) for one in document["filters"]]
    assert codes == [expected_layer(n) for n in range(70, 0, -1)]
    assert [one["number"] for one in document["filters"]] == list(range(70, 0, -1))


def test_the_strictest_of_all_layers_answers(compiler: Compiler, stacked: Stacked) -> None:
    with stacked("main", 3) as pid:
        done = seclatch("filter", str(pid), "--test", "getpgid(0)", "--test", "mkdir")
        text = seclatch("filter", str(pid), "--json", "--test", "getpgid(0)").stdout
    # Equal actions: the newest filter's errno (kernel/seccomp.c, seccomp_run_filters).
    assert done.stdout.splitlines()[0] == "getpgid(0): SCMP_ACT_ERRNO(3)"
    assert "mkdir: SCMP_ACT_ALLOW" in done.stdout
    (call,) = valid(text, "filter-live-verdicts-1")["calls"]
    assert call["action"] == "SCMP_ACT_ERRNO(3)"
    actions = [one["answers"][0]["action"] for one in call["filters"]]
    assert actions == ["SCMP_ACT_ERRNO(3)", "SCMP_ACT_ERRNO(2)", "SCMP_ACT_ERRNO(1)"]


def test_answers_that_depend_on_open_arguments(
    compiler: Compiler, programs: dict[str, Path]
) -> None:
    with loaded(compiler, programs["crun"]) as pid:
        done = seclatch("filter", str(pid), "--test", "socket()", "--test", "socket(AF_INET)")
    assert sorted(done.stdout.splitlines()) == [
        "socket(): SCMP_ACT_ALLOW where arg0 != 0x2",
        "socket(): SCMP_ACT_ERRNO(1) where arg0 == 0x2",
        "socket(AF_INET): SCMP_ACT_ERRNO(1)",
    ]
    assert seclatch("filter", str(pid), "--test", "oepn()").returncode == 2


@pytest.mark.skipif(platform.machine() != "x86_64", reason="x86 is x86-64's other ABI")
def test_a_query_about_another_abi(compiler: Compiler, programs: dict[str, Path]) -> None:
    """The profile names x86-64 alone: libseccomp kills calls of any other ABI."""
    words = ["--test", "mkdir", "--arch", "x86", "--arch", "x86_64"]
    with loaded(compiler, programs["crun"]) as pid:
        done = seclatch("filter", str(pid), *words)
        alone = seclatch("filter", str(pid), "--arch", "x86")
    assert done.stdout.splitlines() == [
        "x86 mkdir: SCMP_ACT_KILL_THREAD",
        "mkdir: SCMP_ACT_ERRNO(13)",
    ]
    assert alone.returncode == 2 and "--arch belongs to --test" in alone.stderr


def test_a_profile_is_recovered(compiler: Compiler, programs: dict[str, Path]) -> None:
    with loaded(compiler, programs["crun"]) as pid:
        found = json.loads(seclatch("filter", str(pid), "--format", "oci").stdout)
        unit = seclatch("filter", str(pid), "--format", "systemd").stdout
    assert found["defaultAction"] == "SCMP_ACT_ALLOW"
    assert found["syscalls"][0] == {
        "names": ["mkdir", "rmdir"],
        "action": "SCMP_ACT_ERRNO",
        "errnoRet": 13,
    }
    assert "SystemCallFilter=" in unit


@pytest.mark.parametrize("runtime", ["runc", "crun"])
def test_it_is_the_expected_profile(
    compiler: Compiler, allowing: Path, tmp_path: Path, runtime: str
) -> None:
    programs = compiled(allowing, tmp_path)
    with loaded(compiler, programs[runtime]) as pid:
        for words in ([], ["--runtime", runtime]):
            done = seclatch("filter", str(pid), "--against", allowing, *words)
            assert done.returncode == 0, done.stderr + done.stdout
            assert f"byte for byte as {runtime} compiles it" in done.stdout
        raw = seclatch("filter", str(pid), "--against", programs[runtime])
    assert raw.returncode == 0


def test_it_is_the_profile_compiled_by_the_other_runtime(
    compiler: Compiler, allowing: Path, tmp_path: Path
) -> None:
    allowing.write_text(
        allowing.read_text().replace('"statmount", ', "").replace('"listmount", ', "")
    )
    programs = compiled(allowing, tmp_path)
    assert programs["runc"].read_bytes() != programs["crun"].read_bytes()
    with loaded(compiler, programs["runc"]) as pid:
        done = seclatch("filter", str(pid), "--against", allowing, "--runtime", "crun")
        assert "byte for byte" not in done.stdout


def test_without_an_expected_profile(stacked: Stacked, tmp_path: Path) -> None:
    nothing = tmp_path / "nothing.json"
    nothing.write_text("{}")
    with stacked("main", 1) as pid:
        done = seclatch("filter", str(pid), "--against", nothing)
    assert done.returncode == 2 and "stands for no seccomp at all" in done.stderr


def test_it_is_another_profile(
    compiler: Compiler, programs: dict[str, Path], tmp_path: Path
) -> None:
    other = json.loads(json.dumps(PROFILE))
    other["syscalls"][0]["names"] = ["mkdir", "unlink"]
    meant = tmp_path / "other.json"
    meant.write_text(json.dumps(other))
    with loaded(compiler, programs["crun"]) as pid:
        done = seclatch("filter", str(pid), "--against", meant)
        document = seclatch("filter", str(pid), "--against", meant, "--json").stdout
    assert done.returncode == 1
    marks = [line for line in done.stdout.splitlines() if line[0] in "+-~"]
    assert marks == ["- rmdir: newly denied (x86_64)", "+ unlink: newly allowed (x86_64)"]
    found = valid(document, "filter-against-1")
    assert not found["same"] and len(found["difference"]["changes"]) == 2
    assert not found["only_errnos"] and "crun" not in done.stderr


@pytest.mark.parametrize("of", ["rule", "default"])
def test_only_errnos_differ(compiler: Compiler, allowing: Path, tmp_path: Path, of: str) -> None:
    """crun's cache ignores the errnos of rules, unlike the default's."""
    profile = json.loads(allowing.read_text())
    profile["syscalls"].append({"names": ["bpf"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38})
    allowing.write_text(json.dumps(profile))
    programs = compiled(allowing, tmp_path)
    if of == "rule":
        profile["syscalls"][-1]["errnoRet"] = 13
    else:
        profile["defaultErrnoRet"] = 13
    allowing.write_text(json.dumps(profile))
    with loaded(compiler, programs["crun"]) as pid:
        done = seclatch("filter", str(pid), "--against", allowing)
        document = seclatch("filter", str(pid), "--against", allowing, "--json").stdout
        runc = seclatch("filter", str(pid), "--against", allowing, "--runtime", "runc")
    assert valid(document, "filter-against-1")["only_errnos"] == (of == "rule")
    assert ("remove /run/crun/.cache/seccomp" in done.stderr) == (of == "rule")
    assert done.returncode == 1 and ".cache" not in runc.stderr


def test_the_expected_one_among_several_is_found(
    compiler: Compiler, profile: Path, programs: dict[str, Path], tmp_path: Path
) -> None:
    own = tmp_path / "own.bpf"
    own.write_bytes(expected_layer(1))
    with loaded(compiler, own, programs["crun"], own) as pid:
        done = seclatch("filter", str(pid), "--against", profile, "--json")
    found = valid(done.stdout, "filter-against-1")
    assert (found["filter"], found["same"], found["difference"]) == (2, True, None)


def test_threads(stacked: Stacked) -> None:
    with stacked("own", 1) as pid:
        first = seclatch("filter", str(pid))
        tid = max(int(path.name) for path in Path(f"/proc/{pid}/task").iterdir())
        second = seclatch("filter", str(pid), "--thread", str(tid))
        wrong = seclatch("filter", str(pid), "--thread", "1")
    assert first.returncode == 1 and "is under no seccomp filter" in first.stderr
    assert f"(--thread): {tid}" in first.stderr
    assert second.returncode == 0 and "SCMP_ACT_ERRNO(1)" in second.stdout
    assert wrong.returncode == 2 and "has no thread 1" in wrong.stderr


def test_the_first_thread_has_exited(stacked: Stacked) -> None:
    with stacked("left", 1) as pid:
        done = seclatch("filter", str(pid))
    assert done.returncode == 0 and "SCMP_ACT_ERRNO(1)" in done.stdout


@pytest.mark.parametrize("words", [[], ["--bpf"], ["--test", "getpgid"]], ids=" ".join)
def test_a_closed_pipe(stacked: Stacked, words: list[str]) -> None:
    with stacked("main", 1) as pid:
        done = seclatch("filter", str(pid), *words, before=["sh", "-c", 'exec "$@" >&-', "sh"])
    assert done.returncode == 2 and "standard output is closed" in done.stderr


def test_strict_mode(stacked: Stacked) -> None:
    with stacked("strict", 0) as pid:
        tid = max(int(path.name) for path in Path(f"/proc/{pid}/task").iterdir())
        done = seclatch("filter", str(pid), "--thread", str(tid))
    assert done.returncode == 1 and "strict mode" in done.stderr


def test_processes_that_cannot_be_read(stacked: Stacked) -> None:
    with subprocess.Popen(["true"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        zombie = seclatch("filter", str(process.pid))
    assert zombie.returncode == 2 and "has ended and only waits for its parent" in zombie.stderr
    gone = seclatch("filter", str(process.pid))
    assert gone.returncode == 2 and f"there is no process {process.pid}" in gone.stderr
    nobody = seclatch("filter", "no-such-container\x1b[31m")
    assert nobody.returncode == 2 and "\x1b" not in nobody.stderr
    with stacked("main", 1) as pid:
        weak = seclatch("filter", str(pid), before=["setpriv", "--reuid=65534", "--clear-groups"])
    assert weak.returncode == 125 and "root" in weak.stderr and "Traceback" not in weak.stderr


def test_the_target_is_neither_stopped_nor_woken(compiler: Compiler) -> None:
    """A sleep under a filter that kills for restart_syscall ends as it must, by either method.

    On a busy machine it may end before its filter is read: then with one that lasts longer.
    """
    for road in ((), ("--ptrace",)):
        for seconds in (2, 10, 50):
            with subprocess.Popen(
                [compiler("sleeper"), "nanosleep", str(seconds)], stdout=subprocess.PIPE, text=True
            ) as process:
                assert process.stdout and process.stdout.readline() == "ready\n"
                done = seclatch("filter", str(process.pid), *road)
                ended = process.poll() == 0
                result, _, milliseconds = process.stdout.readline().rpartition(" ")
                assert (result, process.wait()) == ("0 Success", 0)
                assert int(milliseconds) >= seconds * 1000 - 10
            if not ended:
                break
        assert done.returncode == 0, done.stderr


def test_a_kernel_that_cannot_be_read(stacked: Stacked, monkeypatch: pytest.MonkeyPatch) -> None:
    """An old or locked-down kernel: then the filter is read by stopping the process."""

    def refuse(_tid: int) -> None:
        raise SeclatchError("reading filters with eBPF: not permitted", remedy="boot another")

    monkeypatch.setattr(live_filters, "read_kernel", refuse)
    with stacked("main", 2) as pid:
        thread = LiveThread(pid, "x", 2, 2, True)
        process = LiveProcess(pid, 1, 0, "S", (), thread)
        found = read_live_filters(process, thread)
    assert [one.code for one in found] == [expected_layer(2), expected_layer(1)]
    with pytest.raises(SeclatchError) as caught:
        read_live_filters(process, thread)
    assert "there is no such process" in str(caught.value) and "eBPF" in str(caught.value)


def test_a_full_disk(stacked: Stacked) -> None:
    with stacked("main", 1) as pid:
        done = seclatch("filter", str(pid), "--bpf", "-o", "/dev/full")
    assert done.returncode == 2 and "No space left" in done.stderr


def test_other_commands_keep_their_names() -> None:
    assert "disassemble" in seclatch("filter", "--help").stdout
    assert seclatch("filter", "disassemble", "/nonexistent").returncode == 2
    assert "--against" in seclatch("filter", "of", "--help").stdout


def test_it_survives_many_readings(stacked: Stacked) -> None:
    from seclatch.process.kernel.kernel_filters import read_kernel
    from seclatch.system.read_filters import read_filters

    with stacked("main", 2) as pid:
        for _ in range(100):
            assert len(read_kernel(pid)[pid].layers) == 2
            assert len(read_filters(pid)) == 2
        assert Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] in "SR"
