"""`seclatch tighten` on containers of real engines, with both runtimes, and of a user."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.engines.engine import Engine
from tests.engines.host import ENVIRONMENT
from tests.engines.rootless import Rootless
from tests.engines.test_record_container import comes_from, detach, host_pid, word_for
from tests.engines.test_rootless import root, user  # noqa: F401 (fixtures)
from tests.latch.oci import SCRIPTS, wait_until
from tests.tighten.binding import count_filters

Starter = Callable[..., tuple[Callable[..., Any], Callable[[], int]]]

SECLATCH = str(SCRIPTS / "seclatch")
# Counts in its own memory, with a child at a time; it prints on a signal, without an exec.
COUNTS = "n=0; trap 'echo $n' USR1; while :; do n=$((n+1)); /bin/sleep 0.05; done"

RUNNING = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 12}],
}


@pytest.fixture
def running(tmp_path: Path) -> Path:
    """Write a profile that takes mkdir away."""
    path = tmp_path / "running.json"
    path.write_text(json.dumps(RUNNING))
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
            text = path.read_text(errors="replace")
        except OSError:
            continue
        pids = " ".join(re.findall(r"^NSpid:(.*)$", text, re.M)).split()
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


@pytest.fixture(scope="module")
def able(user: Rootless) -> Rootless:
    """Let the user execute what this test run does."""
    user.allow_to_execute(Path(sys.executable), Path(SECLATCH))
    return user


@pytest.fixture
def own(able: Rootless) -> Iterator[Starter]:
    """Start containers of the user's podman; yield what starts one.

    It returns the user's own `seclatch tighten` of that container, and a way to its first process.
    """
    names: list[str] = []

    def start(script: str, profile: object = None) -> tuple[Callable[..., Any], Callable[[], int]]:
        name = f"own-{len(names)}"
        names.append(name)
        file = able.file(f"{name}.json", json.dumps(profile)) if profile else None
        words = ("--name", name)
        verb = ("run", "--detach")
        made = able.container("crun", "/bin/sh", "-c", script, profile=file, verb=verb, words=words)
        assert made.returncode == 0, made.stderr
        running = able.file("running.json", json.dumps(RUNNING))

        def tighten_own(*more: str, before: Sequence[str] = ()) -> Any:
            words = (SECLATCH, "tighten", name, "--profile", running, "--now", *more)
            return able.run(*before, *words)

        def find_first() -> int:
            shown = able.podman("inspect", "--format", "{{.State.Pid}}", name)
            return _find_pid(able, shown.stdout.strip())

        return tighten_own, find_first

    yield start
    for name in names:
        able.podman("rm", "--force", "--time", "0", name)


TRAFFIC = """
echo hello >/tmp/page; busybox httpd -p 8080 -h /tmp
while :; do
  if busybox wget -qO- http://127.0.0.1:8080/page | grep -q hello; then echo >>/tmp/served
  else echo >>/tmp/failed; fi
done
"""


def test_a_user_tightens_an_own_container(own: Starter, able: Rootless) -> None:
    """Under Podman's default profile and traffic: no request fails; a later session is bound."""
    tighten_own, find_first = own(TRAFFIC)
    pid = find_first()
    folder = Path(f"/proc/{pid}/root/tmp")
    wait_until((folder / "served").exists, "a request")
    done = tighten_own()
    assert done.returncode == 0, done.stderr
    assert "the kernel accepted the filter, and counts 2" in done.stderr
    assert count_filters(pid) == 2
    served = (folder / "served").stat().st_size
    wait_until(lambda: (folder / "served").stat().st_size > served + 5, "more requests")
    assert not (folder / "failed").exists()

    again = tighten_own("--json", before=("podman", "unshare"))
    assert again.returncode == 0, again.stderr
    assert {each["state"] for each in json.loads(again.stdout)["processes"]} == {"present"}
    with able.spawn("podman", "exec", "own-0", "sleep", "9"):
        session = wait_until(lambda: _find_named("sleep", pid), "the session")
        assert count_filters(session) == 1
        assert tighten_own().returncode == 0
        assert (count_filters(session), count_filters(pid)) == (2, 2)
        os.kill(session, signal.SIGKILL)
    assert not (folder / "failed").exists()


# Two workers, and one more for each signal.
WORKERS = """
busybox mkfifo /tmp/never; trap '(read line </tmp/never) &' USR1
(read line </tmp/never) & (read line </tmp/never) &
while :; do wait; done
"""


def test_a_user_tightens_by_role(own: Starter, able: Rootless) -> None:
    """What main creates later is under its profile, until another run puts the worker's on."""
    _, find_first = own(WORKERS)
    main = find_first()
    workers = wait_until(lambda: _list_children(main, 2), "the workers")
    words = []
    for role, errno in (("main", 12), ("worker", 13)):
        rule = {"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": errno}
        profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}
        words += ["--profile", f"{role}={able.file(f'{role}.json', json.dumps(profile))}"]

    def tighten_by_role() -> list[str]:
        done = able.run(SECLATCH, "tighten", "own-0", *words, "--now", "--json")
        assert done.returncode == 0, done.stderr
        return sorted(each["state"] for each in json.loads(done.stdout)["processes"])

    assert tighten_by_role() == ["bound"] * 3
    for pid, answer in ((main, "ERRNO(12)"), (workers[0], "ERRNO(13)"), (workers[1], "ERRNO(13)")):
        assert answer in seclatch("filter", pid, "--test", "mkdir()").stdout
    os.kill(main, signal.SIGUSR1)
    [later] = {*wait_until(lambda: _list_children(main, 3), "another worker")} - {*workers}
    assert count_filters(later) == 2
    assert tighten_by_role() == ["bound", "present"]  # beside bound workers, the others alone
    assert [count_filters(pid) for pid in (main, *workers, later)] == [2, 2, 2, 3]


def _list_children(pid: int, count: int) -> list[int]:
    """Return the children once there are so many, and all wait for a line."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    calls = [Path(f"/proc/{each}/syscall").read_text().split()[0] for each in found]
    return [int(each) for each in found] if len(found) == count and len({*calls}) == 1 else []


def _find_named(comm: str, beside: int) -> int | None:
    space = os.stat(f"/proc/{beside}/ns/pid").st_ino  # noqa: PTH116
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (path / "comm").read_bytes() == f"{comm}\n".encode() and os.stat(  # noqa: PTH116
                path / "ns/pid"
            ).st_ino == space:
                return int(path.name)
    return None


def test_where_the_present_profile_denies_what_is_injected(
    own: Starter,
) -> None:
    """Both ways to load a filter are named, before anything is touched; one of them will do."""
    kills = {"names": ["seccomp"], "action": "SCMP_ACT_KILL_PROCESS"}
    loads = {"index": 0, "value": 22, "op": "SCMP_CMP_EQ"}  # PR_SET_SECCOMP
    denies = {"names": ["prctl"], "action": "SCMP_ACT_ERRNO", "args": [loads]}
    both = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [kills, denies]}
    tighten_own, find_first = own(COUNTS, both)
    done = tighten_own()
    assert done.returncode == 125, done
    for call in ("denies seccomp(SECCOMP_SET_MODE_FILTER)", "denies prctl(PR_SET_SECCOMP)"):
        assert call in done.stderr
    assert "nothing was touched" in done.stderr and "run it as root" in done.stderr
    assert count_filters(find_first()) == 1

    tighten_own, find_first = own(COUNTS, {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [kills]})
    done = tighten_own()
    assert done.returncode == 0 and "prctl(2) binds the threads" in done.stderr, done
    assert count_filters(find_first()) == 2


def test_what_a_user_may_not_trace_and_what_is_not_known(able: Rootless, running: Path) -> None:
    """Another user's process; one with a filter that no configuration tells of."""
    profile = able.file("running.json", running.read_text())
    with able.host.spawn("sleep", "1001", log=running.with_suffix(".log")) as process:
        pid = wait_until(lambda: _find_inside(able, "sleep 1001"), "the process")
        done = able.run(SECLATCH, "tighten", pid, "--profile", profile, "--now")
        assert done.returncode == 125, done
        assert f"process {pid} (sleep) is user 0's" in done.stderr
        assert "nothing was touched" in done.stderr
        process.kill()
    words = (SECLATCH, "apply", "--profile", profile, "--", "sleep", "1002")
    with able.spawn(*words) as process:
        pid = wait_until(lambda: _find_inside(able, "sleep 1002"), "the process")
        done = able.run(SECLATCH, "tighten", pid, "--profile", profile, "--now")
        assert done.returncode == 125 and f"{pid} (sleep): 1" in done.stderr, done
        process.kill()


def _find_inside(able: Rootless, command: str) -> str:
    found: str = able.host.run("pgrep", "-fx", command).stdout
    return found.strip()
