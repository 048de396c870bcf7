"""Record by annotation, installed on real engines as an administrator does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from seclatch.engines.services.annotation_recorder import PROGRAM
from seclatch.model.recording.recording import Recording
from seclatch.recording.files import recording_file
from tests.engines.conftest import require
from tests.engines.containerd import Containerd
from tests.engines.docker import Docker
from tests.engines.engine import Engine
from tests.engines.host import PrivateHost, wait_until
from tests.engines.image import IMAGE
from tests.engines.installing import STRICT, Administrator
from tests.engines.node_recorder import (
    ask_status,
    install_recorder,
    list_recorders,
    start_recorder,
    stop_recorder,
)
from tests.engines.podman import Podman
from tests.engines.system_log import system_log
from tests.engines.test_record import calls, programs
from tests.latch.oci import SCRIPTS

DIRECTORY = "/var/lib/seclatch/recordings"
CHECK = "recorder of annotated containers ({})"
# What the latch does once it asks for the recorder is the same under each engine.
ONE_ENGINE = pytest.mark.parametrize("fresh", ["podman"], indirect=True)


@pytest.fixture(params=["docker", "podman", "containerd"])
def fresh(
    request: pytest.FixtureRequest, own_host: PrivateHost, image: Path, tmp_path: Path
) -> Iterator[Engine]:
    """Provide an engine at the private host's usual paths, with nothing installed yet."""
    kinds: dict[str, Callable[[], Engine]] = {
        "docker": lambda: docker(own_host, tmp_path),
        "podman": lambda: Podman(own_host, {}),
        "containerd": lambda: Containerd(own_host, {}).begin(tmp_path / "log"),
    }
    require({"docker": "dockerd", "podman": "podman", "containerd": "containerd"}[request.param])
    engine = kinds[request.param]()
    engine.load(image)
    yield engine
    engine.stop()


def docker(host: PrivateHost, tmp_path: Path) -> Engine:
    config = host.path("/etc/docker/daemon.json")
    config.parent.mkdir(exist_ok=True)
    config.write_text("{}\n")
    return Docker(host, {}, config="/etc/docker/daemon.json").begin(tmp_path / "log")


def options(engine: Engine, runtime: str, name: str) -> dict[str, object]:
    """Return the options that annotate a container and start it with the installed latch."""
    front = f"/usr/local/lib/seclatch/containerd/{runtime}"
    chosen = front if engine.name == "containerd" else "seclatch"
    return {"runtime": chosen, "extra": ["--annotation", f"seclatch.record={name}"]}


def kept(host: PrivateHost) -> list[Path]:
    return sorted(host.path(DIRECTORY).glob("*.json.gz"))


def ended(host: PrivateHost, number: int = 1) -> list[Recording]:
    """Wait until this many recordings exist and all are complete; return them."""

    def complete() -> list[Recording]:
        found = [recording_file.read_recording(path) for path in kept(host) if path.stat().st_size]
        return found if len(found) == number and all(each.complete for each in found) else []

    wait_until(complete, f"{number} recordings; log: {log(host)}")
    found = complete()
    assert all(not each.lost.calls and not each.lost.events for each in found)
    return found


def log(host: PrivateHost) -> str:
    path = host.path(DIRECTORY) / "log"
    return path.read_text() if path.exists() else ""


@pytest.mark.parametrize("runtime", ["runc", "crun"])
def test_annotated_containers_are_recorded_and_latched(
    fresh: Engine, seclatch: Administrator, runtime: str
) -> None:
    before = seclatch.tree()
    host = fresh.host
    install_recorder(seclatch, fresh.name, "--runtime", runtime)
    done = fresh.run("/bin/exit42", profile=STRICT, **options(fresh, runtime, "web.1"))
    assert done.returncode == 42, done.stderr
    [recording] = ended(host)
    [path] = kept(host)
    assert path.name.startswith("web.1-")
    assert path.stat().st_mode & 0o777 == 0o600
    assert programs(recording) == [["/bin/exit42"]]
    assert calls(recording, "program") == {"exit_group": 1}
    assert {each.stage for each in recording.calls} >= {
        "runtime",
        "init",
        "filtered-init",
        "program",
    }
    assert recording.runtimes == [runtime]
    assert [each.joined for each in recording.sessions] == [False]
    assert any(each.kind == "released" for each in recording.events)

    path.unlink()
    stop_recorder(host)
    seclatch.must("uninstall", fresh.name)
    assert seclatch.tree() == before


def test_exec_sessions_and_a_flush_before_the_end(fresh: Engine, seclatch: Administrator) -> None:
    host = fresh.host
    install_recorder(seclatch, fresh.name, "--runtime", "runc")
    container = fresh.detach("/bin/sleep", "1000", **options(fresh, "runc", "long"))
    assert fresh.exec(container, "/bin/mkdir", "/tmp/x").returncode == 0
    result = seclatch.must("record", "flush", "long")
    [path] = kept(host)
    assert path.name in result
    recording = recording_file.read_recording(path)
    assert not recording.complete
    assert {words[0] for words in programs(recording)} == {"/bin/sleep", "/bin/mkdir"}
    assert [each.joined for each in recording.sessions] == [False, True]
    fresh.remove(container)
    [recording] = ended(host)
    assert calls(recording, "program")["mkdir"] == 1
    verbs = {
        word
        for each in recording.processes
        for image in each.images
        if image.stage == "runtime"
        for word in image.argv
    }
    assert verbs >= {"create", "start", "exec"}
    assert {each.stage for each in recording.calls} - {"engine", "hook"} == {
        "runtime",
        "init",
        "filtered-init",
        "program",
    } - ({"filtered-init"} if fresh.name == "containerd" else set())
    assert seclatch("record", "flush", "long").returncode == 125


def test_processes_that_share_the_pid_namespace_are_left_out(
    own_host: PrivateHost, seclatch: Administrator, image: Path, tmp_path: Path
) -> None:
    """Another container and a process of the host, before and after its mounts are known."""
    require("dockerd")
    engine = docker(own_host, tmp_path)
    engine.load(image)
    install_recorder(seclatch, "docker", "--runtime", "runc")
    container = engine.detach("/bin/sleep", "1000", **options(engine, "runc", "one"))
    share = ["--pid", f"container:{container}"]
    assert engine.run("/bin/exit42", extra=share).returncode == 42
    words = [
        "nsenter",
        "-t",
        str(engine.pid(container)),
        "-p",
        "/bin/sh",
        "-c",
        "/bin/true; exit 7",
    ]
    assert own_host.run(*words).returncode == 7
    assert engine.exec(container, "/bin/mkdir", "/tmp/x").returncode == 0
    recording = flushed(own_host, seclatch, "one")
    assert {words[0] for words in programs(recording)} == {"/bin/sleep", "/bin/mkdir"}
    assert "exit 7" not in str(recording)
    assert len(recording.containers) == 1
    engine.remove(container)
    ended(own_host)
    engine.stop()


def test_no_annotation_or_no_option_means_no_recording(
    fresh: Engine, seclatch: Administrator
) -> None:
    host = fresh.host
    seclatch.must("install", fresh.name, "--runtime", "runc")
    annotated = options(fresh, "runc", "web")
    assert fresh.run("/bin/true", **annotated).returncode == 0
    assert not host.path(DIRECTORY).exists()
    install_recorder(seclatch, fresh.name, "--runtime", "runc")
    runtime = annotated["runtime"]
    # The key as text elsewhere makes the front ask the recorder, which finds none.
    assert fresh.run("/bin/sh", "-c", ": seclatch.record=x", runtime=runtime).returncode == 0
    assert kept(host) == []
    seclatch.must("install", fresh.name, "--runtime", "runc")
    assert fresh.run("/bin/true", **annotated).returncode == 0
    assert kept(host) == []


def test_the_image_is_recorded_and_selects_what_is_merged(
    fresh: Engine, seclatch: Administrator, tmp_path: Path
) -> None:
    host = fresh.host
    install_recorder(seclatch, fresh.name, "--runtime", "runc")
    for name in ("one", "two"):
        container = fresh.detach("/bin/sleep", "1000", **options(fresh, "runc", name))
        wait_until(lambda n=name: flushed(host, seclatch, n).images, "the engine's answer")
        fresh.remove(container)
    recordings = ended(host, 2)
    [[image], [again]] = [each.images for each in recordings]
    assert image == again == recordings[0].containers[0].image
    assert image.name == IMAGE
    assert (image.id or image.digest).startswith("sha256:")
    made = tmp_path / "merged"
    words = ["record", "merge", "--into", str(made), *map(str, kept(host))]
    subprocess.run([str(SCRIPTS / "seclatch"), *words], check=True)
    [merged] = made.iterdir()
    assert recording_file.read_recording(merged).images == [image]


def flushed(host: PrivateHost, seclatch: Administrator, name: str) -> Recording:
    return recording_file.read_recording(host.path(seclatch.must("record", "flush", name).strip()))


INVALID = ["../x", "/etc/x", "a/b", "", ".hidden", "-o", "x" * 65, "a\nb", "ü", "x" * 5000]


def test_invalid_names_start_their_containers_and_record_nothing(
    fresh: Engine, seclatch: Administrator
) -> None:
    host = fresh.host
    install_recorder(seclatch, fresh.name, "--runtime", "runc")
    for number, name in enumerate(filter(None, INVALID), 1):
        done = fresh.run("/bin/exit42", **options(fresh, "runc", name))
        assert done.returncode == 42, (name, done.stderr)
        wait_until(lambda n=number: len(log(host).splitlines()) == n, f"a line on {name}")
    # docker and podman drop an annotation without a value
    assert fresh.run("/bin/exit42", **options(fresh, "runc", "")).returncode == 42
    lines = log(host).splitlines()
    assert all("no name for a recording" in line and len(line) < 1000 for line in lines)
    assert kept(host) == []


@ONE_ENGINE
def test_limits_hold_and_fail_no_start(fresh: Engine, seclatch: Administrator) -> None:
    host = fresh.host
    limits = ("--record-limit", "1", "--record-at-once", "1", "--record-dir", DIRECTORY)
    install_recorder(seclatch, fresh.name, "--runtime", "runc", *limits)
    annotated = options(fresh, "runc", "x")
    sleeping = fresh.detach("/bin/sleep", "1000", **annotated)
    assert fresh.run("/bin/exit42", **annotated).returncode == 42
    assert "1 containers are being recorded" in log(host)
    fresh.remove(sleeping)
    ended(host)
    assert fresh.run("/bin/exit42", **annotated).returncode == 42
    assert "there are 1 recordings" in log(host)
    assert len(kept(host)) == 1


def test_a_thousand_annotations(fresh: Engine, seclatch: Administrator) -> None:
    install_recorder(seclatch, fresh.name, "--runtime", "runc")
    annotated = options(fresh, "runc", "many")
    more = [word for n in range(1000) for word in ("--annotation", f"key{n}=seclatch.record")]
    extra = [*more, *annotated["extra"]]
    assert fresh.run("/bin/exit42", runtime=annotated["runtime"], extra=extra).returncode == 42
    ended(fresh.host)


def test_a_killed_recorder_s_recording_is_continued(fresh: Engine, seclatch: Administrator) -> None:
    host = fresh.host
    install_recorder(seclatch, fresh.name, "--runtime", "runc")
    container = fresh.detach("/bin/sleep", "1000", **options(fresh, "runc", "killed"))
    flushed(host, seclatch, "killed")
    [state] = host.path(DIRECTORY).glob(".running-*")
    wait_until(lambda: '"identity":{' in state.read_text(), "the container to be entered")
    stop_recorder(host, signal.SIGKILL)
    assert fresh.exec(container, "/bin/exit42").returncode == 42
    [path] = kept(host)
    assert not recording_file.read_recording(path).complete
    assert seclatch("record", "flush", "killed").returncode == 125
    start_recorder(host)
    assert fresh.exec(container, "/bin/mkdir", "/tmp/x").returncode == 0
    fresh.remove(container)
    [recording] = ended(host)
    assert len(recording.gaps) == 1
    assert {words[0] for words in programs(recording)} == {"/bin/sleep", "/bin/mkdir"}
    assert recording.images


@ONE_ENGINE
def test_without_a_recorder_containers_start_and_the_log_says_so(
    fresh: Engine, seclatch: Administrator, tmp_path: Path
) -> None:
    """Absent, killed, stopped, without its Python; then one that runs."""
    host = fresh.host
    seclatch.must("install", fresh.name, "--runtime", "runc", "--record-annotations")
    annotated = options(fresh, "runc", "x")
    unrecorded = "not recorded: "
    with system_log(host, tmp_path / "system.log") as lines:

        def run(reason: str) -> None:
            assert fresh.run("/bin/exit42", **annotated).returncode == 42
            assert [line for line in lines() if unrecorded in line and reason in line], lines()
            doctor = json.loads(seclatch("doctor", "--json").stdout)
            [check] = [
                each for each in doctor["checks"] if each["name"] == CHECK.format(fresh.name)
            ]
            assert check["state"] == "note" and "nothing is recorded" in check["found"]

        run("No such file or directory")
        start_recorder(host)
        stop_recorder(host, signal.SIGKILL)
        run("Connection refused")
        begun = start_recorder(host)
        [pid] = list_recorders(host)
        os.kill(pid, signal.SIGSTOP)
        run("it did not answer within 2 seconds")
        os.kill(pid, signal.SIGCONT)
        begun.send_signal(signal.SIGCONT)  # nsenter(1) stops with its child
        wait_until(lambda: ask_status(host), "an answer")
        before = str(lines()).count(unrecorded)
        assert fresh.run("/bin/exit42", **annotated).returncode == 42
        assert (
            fresh.run("/bin/true", "seclatch.record", runtime=annotated["runtime"]).returncode == 0
        )
        ended(host)
        assert str(lines()).count(unrecorded) == before


@ONE_ENGINE
def test_a_reached_size_limit_keeps_older_recordings(
    fresh: Engine, seclatch: Administrator
) -> None:
    host = fresh.host
    install_recorder(seclatch, fresh.name, "--runtime", "runc", "--record-size", "1")
    older = host.path(DIRECTORY) / "older.json.gz"
    with older.open("wb") as file:
        file.truncate((1 << 20) - 1)
    assert fresh.run("/bin/exit42", **options(fresh, "runc", "x")).returncode == 42
    wait_until(lambda: "1048576 are allowed" in log(host), "the log")
    wait_until(lambda: kept(host) == [older], "the reserved name to be given back")
    assert older.stat().st_size == (1 << 20) - 1


def test_without_permission_for_ebpf_the_container_starts_and_the_log_gives_the_reason(
    own_host: PrivateHost, seclatch: Administrator
) -> None:
    seclatch.must("install", "podman", "--runtime", "runc", "--record-annotations")
    done = own_host.run("setpriv", "--bounding-set=-bpf,-perfmon,-sys_admin", PROGRAM)
    assert done.returncode == 1
    assert "CAP_BPF" in done.stderr and "CAP_BPF" in log(own_host)
