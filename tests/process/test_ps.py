"""`seclatch ps` on live processes, as a user runs it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from seclatch.process.kernel.kernel_filters import LAYERS
from seclatch.process.list_containers import list_containers
from tests.conftest import Compiler
from tests.latch.oci import wait_until
from tests.process.conftest import expected_layer, running, seclatch

Stacked = Callable[[str, int], AbstractContextManager[int]]


def listed(*args: str, **options: Any) -> list[dict[str, Any]]:
    """Return the processes of `ps --json`, checked against its schema."""
    done = seclatch("ps", "--json", *args, **options)
    assert done.returncode in (0, 1), done.stderr
    document = json.loads(done.stdout)
    schema = resources.files("seclatch.data").joinpath("schemas", "ps-1.json").read_text()
    jsonschema.validate(document, json.loads(schema))
    return document["processes"]


def prints(layers: list[dict[str, Any]]) -> list[str]:
    return [layer["fingerprint"] for layer in layers]


def expected(*numbers: int) -> list[str]:
    return [sha256(expected_layer(number)).hexdigest()[:8] for number in numbers]


@pytest.mark.root
def test_layers_and_the_programs_that_loaded_them(stacked: Stacked) -> None:
    with stacked("main", 2) as pid:
        (process,) = listed("--pid", str(pid))
    assert (process["seccomp"], process["filters"], process["no_new_privs"]) == (2, 2, True)
    assert prints(process["layers"]) == expected(2, 1)
    assert {layer["by"]["cause"] for layer in process["layers"]} == {"loaded"}
    assert process["threads"] == []  # the second thread has the same
    assert process["stage"] is None and process["container"] is None


@pytest.mark.root
def test_more_filters_than_are_read(stacked: Stacked) -> None:
    with stacked("main", LAYERS + 3) as pid:
        document = json.loads(seclatch("ps", "--json", "--pid", str(pid)).stdout)
        table = seclatch("ps", "--flat", "--pid", str(pid))
        others = json.loads(seclatch("ps", "--json", "--pid", str(os.getpid())).stdout)
    (process,) = document["processes"]
    message = f"{pid} is under {LAYERS + 3} filters, of which the {LAYERS} newest are told apart"
    assert (process["filters"], len(process["layers"])) == (LAYERS + 3, LAYERS)
    assert any(note.startswith(message) for note in document["notes"])
    assert message in table.stderr and f" + {LAYERS} more " in table.stdout
    assert not any(note.startswith(str(pid)) for note in others["notes"])


@pytest.mark.root
def test_a_file_names_its_filters(stacked: Stacked, tmp_path: Path) -> None:
    """Raw programs are recognised by their bytes, profiles by the programs of runc and crun."""
    raw = tmp_path / "second.bpf"
    raw.write_bytes(expected_layer(2))
    rule = {"names": ["getpgid"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}
    profile = tmp_path / "other.json"
    profile.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}))
    with stacked("main", 2) as pid:
        words = ("--pid", str(pid), "--profile", str(profile), "--profile", str(raw))
        (process,) = listed(*words)
    # The profile is equivalent to the first filter, but libseccomp compiles it to other code.
    assert [layer["profile"] for layer in process["layers"]] == [str(raw), None]
    broken = seclatch("ps", "--no-filters", "--profile", tmp_path / "none.json")
    assert broken.returncode == 2 and "none.json" in broken.stderr


@pytest.mark.root
def test_a_thread_that_differs_is_shown(stacked: Stacked) -> None:
    with stacked("own", 1) as pid:
        (process,) = listed("--filtered", "--pid", str(pid))
        text = seclatch("ps", "--pid", str(pid)).stdout
    assert process["seccomp"] == 0 and process["layers"] == []
    (thread,) = process["threads"]
    assert prints(thread["layers"]) == expected(1)
    assert f"thread {process['name']}" in text


@pytest.mark.root
def test_all_threads_when_asked(stacked: Stacked) -> None:
    with stacked("main", 1) as pid:
        (process,) = listed("--threads", "--pid", str(pid))
    assert [prints(each["layers"]) for each in process["threads"]] == [expected(1)]


@pytest.mark.root
def test_strict_mode(stacked: Stacked) -> None:
    with stacked("strict", 0) as pid:
        (process,) = listed("--pid", str(pid))
    assert [each["seccomp"] for each in process["threads"]] == [1]


@pytest.mark.root
def test_a_thread_killed_by_its_filter(stacked: Stacked) -> None:
    """The first thread is a zombie then; another, without a filter, lives on and is reported."""
    with stacked("dead", 1) as pid:
        wait_until(lambda: "zombie" in Path(f"/proc/{pid}/status").read_text(), "its end")
        (process,) = listed("--pid", str(pid), "--threads")
        done = seclatch("filter", str(pid))
    assert (process["state"], process["seccomp"]) == ("Z", 3)
    assert [each["seccomp"] for each in process["threads"]] == [0]
    (thread,) = process["threads"]
    assert done.returncode == 1
    assert f"thread {thread['tid']}, is under no seccomp filter" in done.stderr


@pytest.mark.root
def test_a_child_names_the_process_it_inherited_from(compiler: Compiler) -> None:
    with subprocess.Popen(
        [compiler("under_filter"), "/bin/sh", "-c", "echo; sleep 60; :"], stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout and parent.stdout.readline()
        child = listed("--name", "sleep", "--filtered")
        mine = [each for each in child if each["parent"] == parent.pid]
        for each in mine:
            os.kill(each["pid"], signal.SIGKILL)
        parent.kill()
    (layer,) = mine[0]["layers"]
    assert layer["by"] == {"cause": "inherited", "pid": parent.pid, "name": "sh", "certain": True}


@pytest.mark.root
def test_numbers_only(stacked: Stacked) -> None:
    with stacked("main", 3) as pid:
        (process,) = listed("--no-filters", "--pid", str(pid))
    assert process["filters"] == 3 and prints(process["layers"]) == [None] * 3
    assert {layer["by"]["certain"] for layer in process["layers"]} == {False}


@pytest.mark.root
def test_without_root_it_shows_less_and_prints_why(stacked: Stacked) -> None:
    with stacked("main", 3) as pid:
        done = seclatch(
            "ps", "--pid", str(pid), before=["setpriv", "--reuid=65534", "--clear-groups"]
        )
    assert done.returncode == 0
    row = next(line for line in done.stdout.splitlines() if line.split()[0] == str(pid))
    assert row.split()[2:6] == ["2", "3", "yes", "?"]
    assert "filters are only counted, not identified" in done.stderr and "root" in done.stderr


@pytest.mark.root
def test_hostile_names_and_command_lines(tmp_path: Path, stacked: Stacked) -> None:
    evil = "\x1b]0;owned\x07\n  1  program"
    program = tmp_path / "x\x1b[2J\ny"
    program.symlink_to("/bin/sleep")
    with (
        subprocess.Popen([program, "60"], executable=program) as one,
        subprocess.Popen(
            ["sh", "-c", "echo $0; read x", evil], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as two,
    ):
        assert two.stdout and two.stdout.readline()
        done = seclatch("ps", "--flat", "--pid", str(one.pid), "--pid", str(two.pid))
        (process,) = listed("--pid", str(two.pid))
        one.kill()
        two.kill()
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 3 and all(line.isprintable() for line in lines)
    assert process["command"][-1] == evil


@pytest.mark.root
def test_hostile_control_groups() -> None:
    """Use names that look like a container's, and control sequences of terminals."""
    hierarchy = next(
        path for path in (Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup")) if path.is_dir()
    )
    group = hierarchy / f"seclatch-\x1b]0;x\x07-{os.getpid()}"
    inner = group / ("f" * 64)
    inner.mkdir(parents=True)
    try:
        with subprocess.Popen(["sleep", "60"]) as process:
            (inner / "cgroup.procs").write_text(str(process.pid))
            (found,) = listed("--pid", str(process.pid))
            text = seclatch("ps", "--flat", "--pid", str(process.pid)).stdout
            (hierarchy / "cgroup.procs").write_text(str(process.pid))
            process.kill()
    finally:
        inner.rmdir()
        group.rmdir()
    assert found["container"]["id"] == "f" * 64 and found["container"]["name"] is None
    assert all(line.isprintable() for line in text.splitlines())


def test_a_full_disk() -> None:
    done = seclatch("ps", before=["sh", "-c", 'exec "$@" > /dev/full', "sh"])
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert "writing to standard output: No space left on device" in done.stderr


@pytest.mark.root
def test_a_false_monitor_with_a_blocking_bundle(tmp_path: Path, compiler: Compiler) -> None:
    """Any process may be named conmon: a FIFO in place of its config.json is not waited for."""
    os.mkfifo(tmp_path / "config.json")
    program = shutil.copy(compiler("many"), tmp_path / "conmon")
    with running(program, "1", "-c", "e" * 64, "-n", "\x1b[31mweb", "-b", tmp_path) as pid:
        done = seclatch("ps", "--flat", timeout=60)
        (monitor,) = listed("--pid", str(pid))
    assert done.returncode == 0 and monitor["stage"] == "engine"
    assert all(line.isprintable() for line in done.stdout.splitlines())


def test_nothing_found_is_status_1() -> None:
    done = seclatch("ps", "--container", "there-is-no-such-container")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no process was found in a container there-is-no-such-container" in done.stderr
    assert "containers here: " in done.stderr or "no container runs here" in done.stderr
    done = seclatch("ps", "--json", "--pid", str(2**31 - 1))
    assert done.returncode == 1 and json.loads(done.stdout)["processes"] == []
    assert "with pid 2147483647" in json.loads(done.stdout)["notes"][-1]


def test_a_zombie_is_shown() -> None:
    with subprocess.Popen(["true"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        (zombie,) = listed("--pid", str(process.pid))
    assert (zombie["state"], zombie["command"], zombie["name"]) == ("Z", [], "true")


def test_processes_that_start_and_exit_meanwhile() -> None:
    """The listing works among thousands of short processes; the test's own is in every one."""
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            subprocess.run(
                ["sh", "-c", "for i in 1 2 3 4 5 6 7 8; do true & done; wait"], check=True
            )

    threads = [threading.Thread(target=churn) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(8):
            assert [each["pid"] for each in listed("--pid", str(os.getpid()))] == [os.getpid()]
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@pytest.mark.root
def test_two_thousand_processes(compiler: Compiler) -> None:
    with running(compiler("many"), "2000") as pid:
        found = [each for each in listed() if each["parent"] == pid]
    assert len(found) == 2000
    assert {tuple(prints(each["layers"])) for each in found} == {tuple(expected(1))}
    assert {each["layers"][0]["by"]["pid"] for each in found} == {pid}


def test_watch_mode() -> None:
    with subprocess.Popen(
        # A shell ignores SIGINT for commands in the background, which this process would inherit.
        [
            "env",
            "--default-signal=INT",
            sys.executable,
            "-m",
            "seclatch",
            "ps",
            "--json",
            "--pid",
            "1",
            "--watch",
            "0.1",
        ],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        documents = [json.loads(process.stdout.readline()) for _ in range(3)]
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert all(each["processes"][0]["pid"] == 1 for each in documents)


def test_a_closed_output() -> None:
    done = seclatch("ps", before=["sh", "-c", 'exec "$@" >&-', "sh"])
    assert (done.returncode, "internal" in done.stderr) == (2, False)
    assert "standard output is closed" in done.stderr


def test_containers_that_run_here_can_be_listed() -> None:
    assert all(isinstance(name, str) and name for name, _ in list_containers())
