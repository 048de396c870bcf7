"""`seclatch tighten` on containers of real engines, with both runtimes, and of a user."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engines.engine import Engine
from tests.engines.host import ENVIRONMENT, wait_until
from tests.engines.rootless import Rootless
from tests.engines.test_record_container import comes_from, detach, host_pid, word_for
from tests.engines.test_rootless import root, user  # noqa: F401 (fixtures)
from tests.latch.oci import SCRIPTS
from tests.tighten.binding import count_filters

SECLATCH = str(SCRIPTS / "seclatch")
# Counts in its own memory, with a child at a time; it prints on a signal, without an exec.
COUNTS = "n=0; trap 'echo $n' USR1; while :; do n=$((n+1)); /bin/sleep 0.05; done"


@pytest.fixture
def running(tmp_path: Path) -> Path:
    """Write a profile that takes mkdir away."""
    rule = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 12}
    path = tmp_path / "running.json"
    path.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}))
    return path


def seclatch(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SECLATCH, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "PATH": ENVIRONMENT["PATH"]},
    )


def tighten(name: object, profile: Path, *more: str) -> dict[str, Any]:
    done = seclatch("tighten", name, "--profile", profile, "--now", "--json", *more)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    assert document["complete"]
    return document


def status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def test_a_container_of_an_engine(engine: Engine, running: Path) -> None:
    """Under the engine's default profile; the program goes on, and later children are bound."""
    chosen = "latched-crun" if engine.name == "podman" else "runc"
    container = detach(engine, "/bin/sh", "-c", COUNTS, runtime=chosen)
    pid = host_pid(engine, container)
    before = count_filters(pid)
    document = tighten(word_for(engine, container, "id"), running)
    first = next(each for each in document["processes"] if each["pid"] == pid)
    assert first["state"] == "bound"
    assert count_filters(pid) == before + 1
    assert "NoNewPrivs" in status(pid)
    children = Path(f"/proc/{pid}/task/{pid}/children")

    def child_is_bound() -> bool:
        return any(count_filters(int(each)) == before + 1 for each in children.read_text().split())

    wait_until(child_is_bound, "a child that was forked later")
    again = tighten(word_for(engine, container, "id"), running)
    assert {each["state"] for each in again["processes"]} <= {"present", "ended"}
    assert count_filters(pid) == before + 1

    # a session that begins later is under the first profile alone
    done = engine.exec(container, "/bin/mkdir", "/tmp/session")
    assert done.returncode == 0, done.stderr
    shown = seclatch("ps", "--pid", pid, "--profile", running)
    assert "running.json" in shown.stdout and "seclatch tighten" in shown.stdout


def test_the_program_is_denied_what_was_taken_away(engine: Engine, running: Path) -> None:
    """mkdir worked, and fails once the filter is on, with the errno of the profile."""
    script = "mkdir /tmp/one; while test ! -e /tmp/go; do sleep 0.1; done; mkdir /tmp/two; sleep 60"
    container = detach(engine, "/bin/sh", "-c", script)
    pid = host_pid(engine, container)
    root = Path(f"/proc/{pid}/root/tmp")
    wait_until((root / "one").is_dir, "the first directory")
    tighten(word_for(engine, container, "id"), running)
    (root / "go").touch()
    if engine.name != "containerd":  # ctr keeps no output
        wait_until(lambda: "memory" in _read_output(engine, container), "the error (errno 12)")
    assert not (root / "two").exists()


def _read_output(engine: Engine, container: str) -> str:
    done = engine.command("logs", container)
    return done.stdout + done.stderr


@pytest.fixture
def of_user(user: Rootless) -> Iterator[tuple[Rootless, str, int]]:
    """Start a container of a user's podman; yield its name and the pid of its program."""
    name = "tightened"
    words = ("--name", name)
    made = user.container("crun", "/bin/sh", "-c", COUNTS, verb=("run", "--detach"), words=words)
    assert made.returncode == 0, made.stderr
    inner = user.podman("inspect", "--format", "{{.State.Pid}}", name).stdout.strip()
    yield user, name, _find_pid(user, inner)
    user.podman("rm", "--force", "--time", "0", name)


def _find_pid(user: Rootless, inner: str) -> int:
    for path in Path("/proc").glob("[0-9]*/status"):
        try:
            text = path.read_text()
        except OSError:
            continue
        [words] = re.findall(r"^NSpid:(.*)$", text, re.M)
        pids = words.split()
        if inner in pids[1:2] and comes_from(user.host.holder.pid, int(pids[0])):
            return int(pids[0])
    raise AssertionError(f"no process {inner}")


def test_root_tightens_a_user_s_container(
    of_user: tuple[Rootless, str, int], running: Path
) -> None:
    """Its user namespace makes no difference to root on the host."""
    _, _, pid = of_user
    assert status(pid)["Uid"].split()[0] != "0"
    before = count_filters(pid)
    document = tighten(pid, running)
    assert pid in [each["pid"] for each in document["processes"] if each["state"] == "bound"]
    assert count_filters(pid) == before + 1


def test_in_a_user_namespace_it_is_refused_with_the_reason(
    of_user: tuple[Rootless, str, int], running: Path
) -> None:
    """As root of one's own namespace (podman unshare): suspending takes the initial one's."""
    _, _, pid = of_user
    before = count_filters(pid)
    words = ["unshare", "--user", "--map-root-user", SECLATCH, "tighten", str(pid)]
    done = subprocess.run(
        [*words, "--profile", str(running), "--now"], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "CAP_SYS_ADMIN on the host" in done.stderr, done.stderr
    assert "run it as root on the host" in done.stderr
    assert count_filters(pid) == before
