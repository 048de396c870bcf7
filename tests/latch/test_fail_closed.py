"""Where seccomp cannot be suspended nothing starts, and one line gives reason and remedy."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Compiler
from tests.latch.oci import (
    SCRIPTS,
    Bundle,
    Runtime,
    case,
    copy_front,
    pids_cgroup,
    tracers,
    wait_until,
)

pytestmark = pytest.mark.root

FRONT = SCRIPTS / "seclatch-runc"


def confined(kind: str, compiler: Compiler) -> tuple[list[str | Path], str]:
    """Return a command prefix under which suspending is impossible, and the expected reason."""
    return {
        "no-sys-admin": (["setpriv", "--bounding-set=-sys_admin"], "no CAP_SYS_ADMIN"),
        "no-sys-ptrace": (["setpriv", "--bounding-set=-sys_ptrace"], "no CAP_SYS_PTRACE"),
        "user-namespace": (["unshare", "-Ur"], "not in the initial user namespace"),
        "filter": ([compiler("under_filter")], "under a seccomp filter itself"),
        "traced": (["strace", "-qq", "-o", "/dev/null"], "being traced already"),
    }[kind]  # type: ignore[return-value]


KINDS = ["no-sys-admin", "no-sys-ptrace", "user-namespace", "filter", "traced"]


@pytest.fixture(autouse=True)
def suspend_or_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Test suspending alone; test_methods.py tests the other methods."""
    monkeypatch.setenv("SECLATCH_MODE", "suspend")


@pytest.fixture
def front(tmp_path: Path, compiler: Compiler) -> Path:
    """Make a front whose real runtime writes a file when it is started."""
    real = tmp_path / "real"
    real.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/started\n')
    real.chmod(0o755)
    absolute = copy_front(tmp_path / "fronts", "seclatch-x", real)
    absolute.with_name("seclatch-strace").hardlink_to(absolute)
    return absolute


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("subcommand", ["create", "run", "exec"])
def test_nothing_starts_and_the_reason_is_printed(
    front: Path, compiler: Compiler, tmp_path: Path, kind: str, subcommand: str
) -> None:
    prefix, reason = confined(kind, compiler)
    log = tmp_path / "log.json"
    done = subprocess.run(
        [*prefix, str(front), "--log", log, "--log-format", "json", subcommand, "x"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 125
    assert done.stdout == ""
    assert not (tmp_path / "started").exists()
    assert len(done.stderr.splitlines()) == 1
    assert reason in done.stderr
    assert "What to do: " in done.stderr
    (entry,) = [json.loads(line) for line in log.read_text().splitlines()]
    assert entry["level"] == "error"
    assert entry["msg"] == done.stderr.rstrip("\n")
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", entry["time"])


@pytest.mark.parametrize("kind", KINDS)
def test_subcommands_that_start_nothing_still_work(
    front: Path, compiler: Compiler, tmp_path: Path, kind: str
) -> None:
    prefix, _ = confined(kind, compiler)
    subprocess.run([*prefix, front, "delete", "create"], check=True, timeout=60)
    assert (tmp_path / "started").read_text() == "delete create\n"


@pytest.mark.parametrize("spelling", [["--log", "{}"], ["--log={}"], ["-log", "{}"]])
def test_text_log(front: Path, tmp_path: Path, spelling: list[str]) -> None:
    log = tmp_path / "log"
    log.write_text("kept\n")
    words = [word.format(log) for word in spelling]
    subprocess.run(["unshare", "-Ur", front, *words, "create", "x"], check=False)
    kept, line = log.read_text().splitlines()
    assert kept == "kept"
    assert re.fullmatch(r'level=error msg="seclatch: nothing was started: .*" time="20.*Z"', line)


def test_a_log_that_cannot_be_written_does_not_hide_the_reason(front: Path) -> None:
    done = subprocess.run(
        ["unshare", "-Ur", front, "--log", "/no/such/folder/log", "create", "x"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "initial user namespace" in done.stderr) == (125, True)


@pytest.mark.parametrize("how", ["environment", "install"])
def test_plain_mode_by_choice(front: Path, tmp_path: Path, how: str) -> None:
    environment = {"PATH": "/usr/bin:/bin"}
    if how == "environment":
        environment["SECLATCH_MODE"] = "plain"
    else:
        front.with_name(front.name + ".mode").symlink_to("plain")
    subprocess.run(["unshare", "-Ur", front, "create", "x"], env=environment, check=True)
    assert (tmp_path / "started").read_text() == "create x\n"


def test_the_environment_overrides_the_installed_mode(front: Path) -> None:
    front.with_name(front.name + ".mode").symlink_to("plain")
    done = subprocess.run(
        ["unshare", "-Ur", front, "create", "x"],
        env={"SECLATCH_MODE": "suspend", "PATH": "/bin"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 125


@pytest.mark.parametrize("word", ["PLAIN", "plain ", "off", "plainer"])
def test_an_invalid_mode_starts_nothing(front: Path, tmp_path: Path, word: str) -> None:
    done = subprocess.run(
        [front, "create", "x"],
        env={"SECLATCH_MODE": word, "PATH": "/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "is none of auto, suspend, gate" in done.stderr) == (125, True)
    assert not (tmp_path / "started").exists()


def test_plain_mode_binds_the_runtime_like_the_bare_runtime(
    bundle: Callable[..., Bundle], name: str
) -> None:
    made = bundle(["/bin/exit42"], seccomp=case("exit-only"))
    runtime = Runtime(name)
    bare = Runtime(name, latched=False).bound("run", "--bundle", made.path, made.id)
    runtime("delete", "--force", made.id)
    done = runtime.bound("run", "--bundle", made.path, made.id, env={**ENVIRONMENT, **PLAIN})
    runtime("delete", "--force", made.id)
    assert {bare.returncode, done.returncode}.isdisjoint({0, 42})


ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
PLAIN = {"SECLATCH_MODE": "plain"}


@pytest.mark.parametrize("limit", ["1", "2"])
def test_no_room_for_the_tracer(front: Path, tmp_path: Path, limit: str) -> None:
    with pids_cgroup(tmp_path.name, limit) as group:
        done = subprocess.run(
            ["sh", "-c", f'echo $$ >{group}/cgroup.procs; exec "$@"', "sh", front, "create", "x"],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 125
    assert "no process or memory left for the tracer" in done.stderr
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize("limit", range(3, 8))
def test_no_file_descriptor_left(tmp_path: Path, compiler: Compiler, limit: int) -> None:
    """The message names the limit, not /proc, which could not be opened because of it.

    Nor is the runtime started without the latch, which takes two to read the configuration.
    """
    starts = limit >= 6
    (tmp_path / "config.json").write_text("{}")
    front = copy_front(tmp_path / "fronts", "seclatch-x", compiler("exit42"))
    words = ["sh", "-c", f'ulimit -n {limit}; exec "$@"', "sh", front, "create", "x"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == (42 if starts else 125), done.stderr
    assert ("no file descriptor left for the tracer" in done.stderr) != starts
    assert ("ulimit -n" in done.stderr) != starts


def test_a_proc_of_another_pid_namespace(front: Path, tmp_path: Path) -> None:
    """The tracer could not observe the program's exec: /proc/PID would be another process."""
    inside = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
    done = subprocess.run([*inside, front, "create"], capture_output=True, text=True, check=False)
    assert done.returncode == 125
    assert "shows another pid namespace" in done.stderr
    assert not (tmp_path / "started").exists()
    subprocess.run([*inside, "--mount-proc", front, "create"], check=True)


@pytest.mark.parametrize("annotation", ["run.oci.handler", "module.wasm.image/variant"])
def test_a_handler_without_an_exec(front: Path, tmp_path: Path, annotation: str) -> None:
    """crun runs wasm and krun inside of itself: no exec ever ends the suspension.

    The annotation is found anywhere in a long file, also across the blocks in which it is read.
    """
    for padding in (0, 16384 - 8, 16384 + 24, 100_000):
        (tmp_path / "config.json").write_text(
            json.dumps({"pad": "x" * padding, "annotations": {annotation: "wasm"}})
        )
        done = subprocess.run([front, "create"], capture_output=True, text=True, check=False)
        assert done.returncode == 125
        assert "handler" in done.stderr
        assert not (tmp_path / "started").exists()


def test_a_configuration_that_is_a_pipe(front: Path, tmp_path: Path) -> None:
    """A handler that comes through it later would not be seen.

    And the runtime would miss what the latch has read.
    """
    (tmp_path / "config.json").unlink()
    os.mkfifo(tmp_path / "config.json")
    writer = subprocess.Popen(["sh", "-c", f'echo "{{}}" >{tmp_path}/config.json'])
    done = subprocess.run([front, "create"], capture_output=True, text=True, check=False)
    writer.kill()
    writer.wait()
    assert done.returncode == 125
    assert "no regular file" in done.stderr
    assert not (tmp_path / "started").exists()


def test_a_configuration_that_cannot_be_read_to_its_end(front: Path) -> None:
    """Its first page has no memory behind it: read(2) fails with EIO."""
    words = ["create", "--bundle", "/proc/self", "--config", "mem"]
    done = subprocess.run([front, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 125
    assert "cannot be read" in done.stderr


def test_a_missing_bundle_is_reported_by_the_runtime(
    name: str, tmp_path: Path, front: Path
) -> None:
    missing = ["run", "--bundle", str(tmp_path / "none"), "x"]
    bare = Runtime(name, latched=False)(*missing)
    done = Runtime(name)(*missing)
    assert (done.returncode, done.stdout) == (bare.returncode, bare.stdout)
    assert "none" in done.stderr


def test_a_log_without_a_reader(front: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    done = subprocess.run(
        ["unshare", "-Ur", front, "--log", tmp_path / "fifo", "create"],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 125


def test_no_tracer_is_left_behind(front: Path) -> None:
    before = tracers()
    for _ in range(5):
        subprocess.run(["unshare", "-Ur", front, "create", "x"], capture_output=True, check=False)
    wait_until(lambda: tracers() <= before, "the tracers' end")
