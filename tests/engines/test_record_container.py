"""`seclatch record --container` on running containers of real engines."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from seclatch.model.recording.recording import Recording
from seclatch.recording.files import recording_file
from tests.engines.docker import Docker
from tests.engines.engine import Engine
from tests.engines.host import ENVIRONMENT, wait_until
from tests.engines.image import IMAGE
from tests.engines.test_record import calls, programs
from tests.latch.oci import SCRIPTS

SECLATCH = str(SCRIPTS / "seclatch")
# Waits for /tmp/go, which the test creates as a signal; then starts three children in turn.
WAITS = "while ! test -e /tmp/go; do /bin/sleep 0.1; done; /bin/true; /bin/true; exec /bin/exit42"


@contextmanager
def recording(path: Path, word: str, *more: str) -> Iterator[subprocess.Popen[str]]:
    """Run the recorder; yield once it has found the container's processes."""
    words = [SECLATCH, "record", "--follow", "--container", word, "-o", str(path), *more]
    process = subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PATH": ENVIRONMENT["PATH"]},
    )
    try:
        assert process.stderr
        line = process.stderr.readline()
        assert line.startswith("seclatch: program"), line
        yield process
    finally:
        process.kill()
        process.communicate()


def result(process: subprocess.Popen[str], path: Path) -> Recording:
    _, message = process.communicate(timeout=60)
    assert process.returncode == 0, message
    found = recording_file.read_recording(path)
    assert found.complete
    assert found.lost.events == found.lost.calls == found.lost.processes == 0
    return found


def detach(engine: Engine, *command: str, **options: Any) -> str:
    """Start a container and wait for its program: engines sometimes return before its exec."""
    container = engine.detach(*command, **options)
    cmdline = engine.host.proc(engine.pid(container)) / "cmdline"
    wait_until(lambda: cmdline.read_text().startswith(command[0]), f"{command[0]} to run")
    return container


def word_for(engine: Engine, container: str, by: str) -> str:
    """Return a user's name for the container; Docker's is known to its daemon alone."""
    if by == "pid":
        return str(host_pid(engine, container))
    if engine.name == "containerd":
        return container
    identifier = engine.must("inspect", "--format", "{{.Id}}", container)
    return {"id": identifier, "short id": identifier[:12], "name": container}[by]


def host_pid(engine: Engine, container: str) -> int:
    """Return the pid in the test's own pid namespace."""
    inner = str(engine.pid(container))
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            text = status.read_text(errors="replace").partition("\nNSpid:")[2]
            words = text.partition("\n")[0].split()  # empty where the process has ended
            if words[1:2] == [inner] and comes_from(engine.host.holder.pid, int(words[0])):
                return int(words[0])
    raise AssertionError(f"no process of {container}")


def comes_from(ancestor: int, pid: int) -> bool:
    while pid > 1 and pid != ancestor:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        except OSError:  # it has ended
            return False
        pid = int(stat.rpartition(")")[2].split()[1])
    return pid == ancestor


@pytest.fixture(params=["plain", "latched"])
def chosen(request: pytest.FixtureRequest, runtime: str) -> str:
    return runtime if request.param == "plain" else f"latched-{runtime}"


@pytest.mark.parametrize("by", ["id", "pid"])
def test_a_running_container_and_its_exec_sessions(
    engine: Engine, runtime: str, chosen: str, by: str, tmp_path: Path
) -> None:
    container = detach(engine, "/bin/sh", "-c", WAITS, runtime=chosen)
    path = tmp_path / "x.json"
    with recording(path, word_for(engine, container, by)) as recorder:
        assert engine.exec(container, "/bin/mkdir", "/tmp/other").returncode == 0
        assert engine.exec(container, "/bin/touch", "/tmp/go").returncode == 0
        found = result(recorder, path)
    shell, *others = (each for each in found.processes if each.images)
    assert (shell.found_running, shell.images[0].argv[:2]) == (True, ["/bin/sh", "-c"])
    roots = [each for each in others if each.parent is None and not each.found_running]
    alone = {image.stage for each in roots if not each.session for image in each.images}
    assert alone <= {"engine", "runtime"}
    # A child found between its fork and its exec is another /bin/sh: wait, for busy machines.
    seen = [shell, *(each for each in others if not each.found_running)]
    ran = [image.argv[0] for each in seen for image in each.images if image.stage == "program"]
    assert sorted(each for each in ran if each != "/bin/sleep") == [
        "/bin/exit42",
        "/bin/mkdir",
        "/bin/sh",
        "/bin/touch",
        "/bin/true",
        "/bin/true",
    ]
    assert calls(found, "program")["mkdir"] == 1
    entered = "init" if engine.name == "containerd" else "filtered-init"  # ctr loads no filter
    assert calls(found, entered)["execve"] >= 2
    assert [each.joined for each in found.sessions] == [False, True, True]
    assert [each.container for each in found.sessions] == [0, 0, 0]
    assert_the_runtime_s_side_is_there(found, engine, runtime)
    [image] = found.images
    assert image.name == IMAGE
    assert (image.id or image.digest).startswith("sha256:")
    assert found.containers[0].image == image


def assert_the_runtime_s_side_is_there(found: Recording, engine: Engine, runtime: str) -> None:
    """Check both exec sessions, from the runtime's exec on."""
    assert found.runtimes == [runtime]
    ran = {
        each.id: image.argv
        for each in found.processes
        for image in each.images
        if image.stage == "runtime" and Path(image.exe).name == runtime
    }
    assert len([argv for argv in ran.values() if "exec" in argv]) == 2
    assert {each.process for each in found.calls if each.stage == "runtime"} >= set(ran)
    stages = {each.stage for each in found.calls} - {"filtered-init"}
    above = {"engine"} if engine.name == "podman" else set()  # conmon
    assert stages == {"runtime", "init", "program"} | above


def test_healthchecks_with_their_runtime(docker: Docker, runtime: str, tmp_path: Path) -> None:
    health = ["--health-cmd", "/bin/mkdir /tmp/healthy", "--health-interval", "1s"]
    script = "until test -e /tmp/healthy; do /bin/sleep 0.1; done; exec /bin/exit42"
    begun = ["--health-start-period", "0s"]
    container = detach(docker, "/bin/sh", "-c", script, runtime=runtime, extra=[*health, *begun])
    path = tmp_path / "x.json"
    with recording(path, word_for(docker, container, "id")) as recorder:
        found = result(recorder, path)
    assert ["/bin/sh", "-c", "/bin/mkdir /tmp/healthy"] in programs(found)
    assert calls(found, "program")["mkdir"] == 1
    assert found.runtimes == [runtime]
    docker.clear()


def test_exec_sessions_under_a_filter_have_their_stages(
    engine: Engine, runtime: str, tmp_path: Path
) -> None:
    # Rules that no other test uses: crun takes a compiled filter from its cache for a profile that
    # differs only in errnoRet.
    profile = tmp_path / "profile.json"
    profile.write_text(
        '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": '
        '[{"names": ["mkdir", "mkdirat", "rmdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": 17}]}'
    )
    container = detach(engine, "/bin/sh", "-c", WAITS, runtime=runtime, profile=profile)
    path = tmp_path / "x.json"
    with recording(path, word_for(engine, container, "id")) as recorder:
        assert engine.exec(container, "/bin/mkdir", "/tmp/other").returncode == 1
        assert engine.exec(container, "/bin/touch", "/tmp/go").returncode == 0
        found = result(recorder, path)
    stages = {each.stage for each in found.calls}
    assert stages - {"engine"} == {"runtime", "init", "filtered-init", "program"}
    assert calls(found, "filtered-init")["execve"] == 2
    denied = {(each.stage, each.name, each.errno, each.count) for each in found.denials}
    assert denied == {("program", "mkdir", 17, 1)}


def test_a_container_by_name(engine: Engine, tmp_path: Path) -> None:
    container = detach(engine, "/bin/sh", "-c", WAITS)
    path = tmp_path / "x.json"
    if engine.name == "docker":
        socket = engine.host.path(engine.directory / "docker.sock")
        os.environ["DOCKER_HOST"] = f"unix://{socket}"
    try:
        with recording(path, word_for(engine, container, "name")) as recorder:
            engine.exec(container, "/bin/touch", "/tmp/go")
            found = result(recorder, path)
    finally:
        os.environ.pop("DOCKER_HOST", None)
    assert ["/bin/exit42"] in programs(found)


def test_nothing_of_other_containers(engine: Engine, tmp_path: Path) -> None:
    other = detach(engine, "/bin/sh", "-c", "while :; do /bin/false; done")
    container = detach(engine, "/bin/sh", "-c", WAITS)
    path = tmp_path / "x.json"
    with recording(path, word_for(engine, container, "short id")) as recorder:
        engine.exec(other, "/bin/mkdir", "/tmp/x")
        engine.exec(container, "/bin/touch", "/tmp/go")
        found = result(recorder, path)
    assert "/bin/false" not in str(found.processes)
    assert "mkdir" not in calls(found, "program")
    assert len(found.containers) == 1


def test_control_c_ends_the_recording_and_nothing_else(engine: Engine, tmp_path: Path) -> None:
    container = detach(engine, "/bin/sh", "-c", WAITS)
    path = tmp_path / "x.json"
    with recording(path, word_for(engine, container, "id")) as recorder:
        recorder.send_signal(signal.SIGINT)
        found = result(recorder, path)
    assert found.processes[0].ended is None
    engine.exec(container, "/bin/touch", "/tmp/go")
    assert engine.wait(container) == 42


def test_seconds(engine: Engine, tmp_path: Path) -> None:
    container = detach(engine, "/bin/sh", "-c", WAITS)
    path = tmp_path / "x.json"
    with recording(path, word_for(engine, container, "id"), "--seconds", "0.5") as recorder:
        assert result(recorder, path).duration < 20


def test_a_process_of_the_host_is_refused(tmp_path: Path) -> None:
    done = subprocess.run(
        [SECLATCH, "record", "--container", str(os.getpid())],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 125
    assert "is in none" in done.stderr
    assert list(tmp_path.iterdir()) == []
