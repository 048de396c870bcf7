"""Tighten containers by annotation, installed on real engines as an administrator does."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engines.conftest import require
from tests.engines.containerd import Containerd
from tests.engines.engine import Engine
from tests.engines.host import PrivateHost, wait_until
from tests.engines.installing import Administrator
from tests.engines.system_log import system_log
from tests.engines.test_install_containerd import CONFIG
from tests.engines.test_record_annotation import docker, fresh  # noqa: F401 (a fixture)

PROFILES = "/etc/seclatch/running"
INSTALL = ("--tighten-annotations",)
SERVER = "mkdir /tmp/$$; sleep 1; echo serving; exec busybox httpd -f -p 8080"

KILLED = {"running": "web", "ready": "2s", "unready": "stop"}

Log = Callable[[], list[str]]

# google-re2, which conditions on a log need, is not in arm64's guest (tests/arm64).
WITHOUT_RE2 = bool(os.environ.get("SECLATCH_GUEST"))

# Each engine with a runtime of its own and a condition of its own.
CASES = {
    "docker": ("runc", "listen:8080" if WITHOUT_RE2 else "log:^serv(e|ing)$"),
    "podman": ("crun", "log:^serv(e|ing)$"),
    "containerd": ("runc", "listen:8080"),
}


@pytest.fixture
def log(own_host: PrivateHost, tmp_path: Path) -> Iterator[Log]:
    with system_log(own_host, tmp_path / "system.log") as lines:
        yield lines


def write_profile(host: PrivateHost, name: str = "web") -> Path:
    """Write a running profile that takes mkdir away."""
    rule = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 12}
    folder = host.path(PROFILES)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}))
    return path


def annotated(engine: Engine, runtime: str, **values: str) -> dict[str, object]:
    """Return the options of a container with these annotations below `seclatch.`."""
    front = f"/usr/local/lib/seclatch/containerd/{runtime}"
    chosen = front if engine.name == "containerd" else "seclatch"
    pairs = [f"seclatch.{key}={value}" for key, value in values.items()]
    return {
        "runtime": chosen,
        "extra": [word for pair in pairs for word in ("--annotation", pair)],
    }


def expect(condition: Callable[[], object], log: Log) -> None:
    """Wait until the condition holds; show the system log if it does not."""
    try:
        wait_until(condition, "the running profile")
    except AssertionError as error:
        raise AssertionError(f"{error}; system log:\n" + "\n".join(log())) from error


def count_filters(engine: Engine, container: str) -> int:
    return int(engine.host.status(engine.pid(container))["Seccomp_filters"])


def says(log: Log, *words: str) -> Callable[[], bool]:
    return lambda: any(all(word in line for word in words) for line in log())


def test_tightened_once_ready_at_each_start(
    fresh: Engine, seclatch: Administrator, log: Log
) -> None:
    """Exec sessions get the running profile from their first instruction on."""
    runtime, ready = CASES[fresh.name]
    before = seclatch.tree()
    seclatch.must("install", fresh.name, "--runtime", runtime, *INSTALL)
    write_profile(fresh.host)
    options = annotated(fresh, runtime, running="web", ready=ready, unready="stop")
    container = fresh.detach("/bin/sh", "-c", SERVER, **options)
    usual = count_filters(fresh, container)
    expect(lambda: count_filters(fresh, container) == usual + 1, log)
    expect(says(log, "tightened to", "busybox", "read back"), log)
    denied = fresh.exec(container, "/bin/mkdir", "/tmp/session")
    assert denied.returncode != 0
    assert fresh.exec(container, "/bin/true").returncode == 0
    if fresh.name != "containerd":  # ctr starts no task again with --runc-binary
        assert "emory" in denied.stderr  # ENOMEM, which the profile answers
        fresh.must("restart", "--time", "0", container)
        assert fresh.exec(container, "/bin/mkdir", "/tmp/again").returncode == 0
        expect(lambda: count_filters(fresh, container) == usual + 1, log)
    fresh.remove(container)
    for path in fresh.host.path(PROFILES).iterdir():
        path.unlink()
    seclatch.must("uninstall", fresh.name)
    assert seclatch.tree() == before


@pytest.fixture
def installed(
    own_host: PrivateHost, seclatch: Administrator, image: Path, tmp_path: Path
) -> Iterator[Engine]:
    """Provide Docker with the supervisor and a running profile."""
    require("dockerd")
    engine = docker(own_host, tmp_path)
    engine.load(image)
    seclatch.must("install", "docker", "--runtime", "runc", *INSTALL)
    write_profile(own_host)
    yield engine
    engine.stop()


def test_what_happens_to_a_container_that_cannot_be_tightened(installed: Engine, log: Log) -> None:
    """The annotation decides: not started, stopped, or left as it is; the journal says why."""
    host = installed.host
    write_profile(host, "shared").chmod(0o666)

    def start(status: int, **values: str) -> str:
        options = annotated(installed, "runc", **{"ready": "1s", **values})
        done = installed.run("/bin/exit42", **options)
        assert done.returncode == status, done.stderr
        return done.stderr

    assert "others than root can write to it" in start(125, running="shared", unready="stop")
    assert "neither keep nor stop" in start(125, running="web", unready="sotp")
    start(42, running="absent")
    assert says(log, "not tightened", "absent.json", "under its own profile alone")()

    hit = installed.detach("/bin/sleep", "1000", **annotated(installed, "runc", **KILLED))
    with_guard = find_supervisors(installed, hit)
    installed.host.run("kill", "-9", with_guard[0], check=True)
    never = {"running": "web", "ready": "listen:1", "limit": "1s"}
    waits = 'trap "exit 7" TERM; while :; do sleep 0.1; done'
    stopped = installed.detach(
        "/bin/sh", "-c", waits, **annotated(installed, "runc", **never, unready="stop")
    )
    kept = installed.detach("/bin/sleep", "1000", **annotated(installed, "runc", **never))
    assert installed.wait(stopped) == 7
    expect(says(log, "was not ready (listen:1) within 1 s", "it is stopped"), log)
    expect(says(log, "was not ready (listen:1) within 1 s", "goes on"), log)
    assert installed.exec(kept, "/bin/mkdir", "/tmp/session").returncode == 0
    expect(says(log, "its supervisor was killed; another one takes its place"), log)
    expect(lambda: count_filters(installed, hit) == 2, log)


def find_supervisors(engine: Engine, container: str) -> list[str]:
    """Return the ids on the host of the supervisor and its guard."""
    identity = engine.must("inspect", "--format", "{{.Id}}", container)
    found: list[str] = []

    def look() -> bool:
        found[:] = engine.host.run("pgrep", "-f", f"supervisor [0-9]+ .*{identity}").stdout.split()
        return len(found) == 2

    wait_until(look, "supervisor and guard")
    return found


def test_a_supervisor_that_is_killed_again_and_again(installed: Engine, log: Log) -> None:
    """The container is stopped, as it asks to be when it cannot be tightened.

    Where the guard is killed, too, no process is left to do that: the next start's supervisor does.
    """
    waits = 'trap "exit 7" TERM; while :; do sleep 0.1; done'
    endless = {**KILLED, "ready": "listen:1"}
    container = installed.detach("/bin/sh", "-c", waits, **annotated(installed, "runc", **endless))
    guard = find_supervisors(installed, container)[1]
    for _ in range(4):
        [supervisor] = {*find_supervisors(installed, container)} - {guard}
        installed.host.run("kill", "-9", supervisor, check=True)
        wait_until(lambda gone=supervisor: not alive(installed, gone), "its end")
    assert installed.wait(container) == 7
    expect(says(log, "its supervisor was killed 4 times", "it is stopped"), log)

    container = installed.detach("/bin/sh", "-c", waits, **annotated(installed, "runc", **endless))
    both = find_supervisors(installed, container)
    installed.host.run("kill", "-STOP", *both, check=True)  # so that neither sees the other's end
    installed.host.run("kill", "-9", *both, check=True)
    wait_until(lambda: not any(alive(installed, pid) for pid in both), "their end")
    installed.detach("/bin/sleep", "1000", **annotated(installed, "runc", **endless))
    assert installed.wait(container) == 7
    expect(says(log, "were killed together", "it is stopped"), log)


def alive(engine: Engine, pid: str) -> bool:
    return engine.host.path(f"/proc/{pid}/cmdline").exists() and bool(
        engine.host.path(f"/proc/{pid}/cmdline").read_bytes()
    )


def test_what_the_engine_and_the_program_say(installed: Engine, log: Log) -> None:
    """Ready by a health check, or by READY=1; sessions under the first profile if asked."""
    boot = {"running": "web", "exec": "boot"}
    healthy = annotated(installed, "runc", **boot, ready="healthy")
    check = ["--health-cmd", "mkdir -p /tmp/health", "--health-interval", "1s"]
    healthy["extra"] = [*healthy["extra"], *check]
    first = installed.detach("/bin/sleep", "1000", **healthy)
    second = installed.detach(
        "/bin/notify_ready", **annotated(installed, "runc", **boot, ready="notify")
    )
    for container, condition in ((first, "healthy"), (second, "notify")):
        expect(says(log, f"ready ({condition})"), log)
        expect(lambda each=container: count_filters(installed, each) == 2, log)
        assert installed.exec(container, "/bin/mkdir", "/tmp/session").returncode == 0


def test_a_container_of_a_pod_while_containerd_is_restarted(
    own_host: PrivateHost,
    seclatch: Administrator,
    log: Log,
    image: Path,
    image_root: Path,
    tmp_path: Path,
) -> None:
    """An annotation may be for one container of the pod; its log is the kubelet's."""
    # by gRPC, which arm64's guest lacks (tests/arm64)
    from tests.engines.test_pods import TEXT, connect, restart

    require(*Containerd.programs)
    seclatch.write(CONFIG, TEXT)
    seclatch.must("install", "containerd", "--runtime", "runc", *INSTALL)
    write_profile(own_host)
    containerd = Containerd(own_host, {}, config=CONFIG).begin(tmp_path / "containerd.log")
    kubelet = connect(containerd, image, image_root, tmp_path)
    wishes = {"seclatch.running.web": "web", "seclatch.ready": "log:^serving$"}
    # an earlier run's lines are in the same file, which containerd appends to
    shutil.rmtree(own_host.path("/var/log/pods/default_shop_uid-shop"), ignore_errors=True)
    pod = kubelet.run_pod("shop", "seclatch", wishes)
    script = "echo booting; until [ -e /tmp/go ]; do sleep 0.1; done; echo serving; sleep 1000"
    other = pod.start("/bin/sleep", "1000", profile=None, name="other")
    container = pod.start("/bin/sh", "-c", script, profile=None, name="web")
    containerd = restart(containerd, tmp_path / "containerd-2.log")
    assert pod.execute(container, "/bin/mkdir", "/tmp/session")[0] == 0
    assert not says(log, "ready")()
    pod.execute(container, "/bin/touch", "/tmp/go")
    expect(says(log, f"container={container}", "tightened to"), log)
    assert pod.execute(container, "/bin/mkdir", "/tmp/again")[0] != 0
    assert pod.execute(other, "/bin/mkdir", "/tmp/session")[0] == 0
    pod.remove()
    kubelet.channel.close()
    containerd.stop()
