"""Record containers that an engine starts, through daemon and shim, without unrelated ones."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from seclatch.model.recording.recording import Recording
from seclatch.recording.files import recording_file
from tests.engines.docker import Docker
from tests.engines.engine import IMAGE, Done, Engine
from tests.engines.host import ENVIRONMENT
from tests.engines.podman import Podman
from tests.latch.oci import SCRIPTS

Recorded = Callable[[Callable[[], Done]], tuple[Done, Recording]]


@pytest.fixture
def recorded(engine: Engine, recorded_of: Callable[[Engine], Recorded]) -> Recorded:
    """Provide recorded(CALL): record the client commands that CALL runs."""
    return recorded_of(engine)


@pytest.fixture
def recorded_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Engine], Recorded]:
    """Provide the same for a given engine."""
    return lambda engine: record_engine(engine, tmp_path / "recording.json", monkeypatch)


def record_engine(engine: Engine, path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorded:
    plain = engine.host.argv

    @contextmanager
    def recorder() -> Iterator[None]:
        words = [str(SCRIPTS / "seclatch"), "record", "-o", str(path), "--"]
        with monkeypatch.context() as patch:
            patch.setattr(engine.host, "argv", lambda *more: [*words, *plain(*more)])
            yield

    def record(call: Callable[[], Done]) -> tuple[Done, Recording]:
        with recorder():
            done = call()
        recording = recording_file.read_recording(path)
        assert recording.lost.events == recording.lost.calls == recording.lost.processes == 0
        return done, recording

    return record


def programs(recording: Recording) -> list[list[str]]:
    return [
        image.argv
        for process in recording.processes
        for image in process.images
        if image.stage == "program"
    ]


def calls(recording: Recording, stage: str) -> dict[str, int]:
    total: dict[str, int] = {}
    for each in recording.calls:
        if each.stage == stage:
            total[each.name] = total.get(each.name, 0) + each.count
    return total


@pytest.mark.parametrize("latched", [False, True], ids=["plain", "latched"])
def test_a_run_is_followed_to_its_program(
    engine: Engine, runtime: str, latched: bool, recorded: Recorded
) -> None:
    chosen = f"latched-{runtime}" if latched else runtime
    done, recording = recorded(lambda: engine.run("/bin/exit42", runtime=chosen))
    assert done.returncode == 42
    assert programs(recording) == [["/bin/exit42"]]
    assert calls(recording, "program") == {"exit_group": 1}
    assert len(recording.containers) == len(recording.sessions) == 1
    assert recording.runtimes == [runtime]
    stages = {each.stage for each in recording.calls}
    expected = {"client", "engine", "runtime", "init", "program"}
    assert stages >= expected - ({"client"} if engine.name == "podman" else set())
    assert ("shim" in stages) == (engine.name != "podman")


def client_words(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, *command: str, **options: object
) -> list[str]:
    """Return the client's command line for running a command."""
    words: list[tuple[str, ...]] = []

    def note(*command: str, **_: object) -> Done:
        words.append(tuple(map(str, command)))
        return Done(command, 0, "", "")

    with monkeypatch.context() as patch:
        patch.setattr(engine.host, "run", note)
        engine.run(*command, **options)
    return list(words[0])


def test_several_containers_at_once(
    engine: Engine, runtime: str, recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [
        shlex.join(client_words(engine, monkeypatch, "/bin/sh", "-c", f"exit {n}", runtime=runtime))
        for n in (5, 6)
    ]
    _, recording = recorded(lambda: engine.host.run("sh", "-c", f"{' & '.join(runs)} & wait"))
    assert sorted(programs(recording)) == [["/bin/sh", "-c", f"exit {n}"] for n in (5, 6)]
    assert len({each.name for each in recording.containers}) == 2
    statuses = {
        each.session: each.status
        for each in recording.processes
        if any(image.stage == "program" for image in each.images)
    }
    assert sorted(statuses.values(), key=str) == [5 << 8, 6 << 8]
    assert len(statuses) == 2


@pytest.fixture
def unrelated_starts(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[None]:
    """Start unrelated containers at the same daemon, one after the other.

    The loop ends between two containers: a container whose ctr is killed would stay, with its shim.
    """
    words = client_words(engine, monkeypatch, "/bin/false")
    enough = tmp_path / "enough"
    loop = ["sh", "-c", 'until test -e "$0"; do "$@"; done', enough, *words]
    process = subprocess.Popen(
        engine.host.argv(*loop),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=ENVIRONMENT,
        start_new_session=True,
    )
    yield
    enough.touch()
    process.wait(60)


@pytest.mark.parametrize("runtime", ["runc"], indirect=True)  # the engine's part is the same
@pytest.mark.usefixtures("unrelated_starts")
def test_unrelated_containers_of_the_engine_are_left_out(
    engine: Engine, runtime: str, recorded: Recorded
) -> None:
    script = "i=0; while test $i -lt 3; do /bin/sleep 1; i=$((i + 1)); done"
    done, recording = recorded(lambda: engine.run("/bin/sh", "-c", script, runtime=runtime))
    assert done.returncode == 0
    assert len(recording.containers) == 1
    assert programs(recording) == [["/bin/sh", "-c", script], *[["/bin/sleep", "1"]] * 3]
    assert "/bin/false" not in str(recording)


PRUNED = """
import sys
from pathlib import Path
from seclatch.recording.attribution import pruning
from seclatch.recording.files import recording_file
from seclatch.recording.record_command import record_command
from seclatch.recording.recorder import RecordOptions
pruning._MIN_GROWTH, pruning._MIN_AGE_NS = 20, 100_000_000
seen = []
status, recording = record_command(tuple(sys.argv[2:]), RecordOptions(watch=seen.append))
recording_file.write_recording(Path(sys.argv[1]), recording)
print("begun", seen[-1].begun, "dropped", seen[-1].begun - len(seen[-1].processes))
"""


@pytest.mark.parametrize(("name", "runtime"), [("docker", "runc"), ("containerd", "latched-runc")])
def test_finished_unrelated_processes_are_dropped(
    request: pytest.FixtureRequest,
    name: str,
    runtime: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Record one container while dozens of others start: nothing of its own is missing."""
    engine: Engine = request.getfixturevalue(name)
    profile = tmp_path / "profile.json"
    denied = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}
    profile.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [denied]}))
    # Denied calls are counted separately, in a map with few entries.
    making = ["/bin/mkdir", "/unrelated"]
    other = client_words(engine, monkeypatch, *making, runtime=runtime, profile=profile)
    script = "i=0; while test $i -lt 9; do /bin/sleep 0.5; i=$((i + 1)); done"
    words = client_words(engine, monkeypatch, "/bin/sh", "-c", script, runtime=runtime)
    line = f"{shlex.join(other)}; {shlex.join(other)}; {shlex.join(other)}"
    with subprocess.Popen(
        engine.host.argv("sh", "-c", f"{line}; {line}"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=ENVIRONMENT,
    ) as process:
        path = tmp_path / "x.json"
        done = subprocess.run(
            [sys.executable, "-c", PRUNED, path, *engine.host.argv(*words)],
            capture_output=True,
            text=True,
            env=ENVIRONMENT,
            check=False,
        )
        process.wait(60)
    assert done.returncode == 0, done.stderr
    recording = recording_file.read_recording(path)
    assert programs(recording) == [["/bin/sh", "-c", script], *[["/bin/sleep", "0.5"]] * 9]
    assert "/unrelated" not in str(recording)
    assert recording.denials == []
    lost = recording.lost
    assert lost.events == lost.calls == lost.processes == 0
    assert int(done.stdout.split()[-1]) >= 8, done.stdout  # at least one container's start


def test_an_exec_session_is_recorded(engine: Engine, runtime: str, recorded: Recorded) -> None:
    container = engine.detach("/bin/sleep", "100", runtime=runtime)
    done, recording = recorded(lambda: engine.exec(container, "/bin/exit42"))
    assert done.returncode == 42
    assert programs(recording) == [["/bin/exit42"]]
    assert calls(recording, "program") == {"exit_group": 1}
    assert [each.joined for each in recording.sessions] == [True]


@pytest.mark.parametrize("name", ["docker", "podman"])  # ctr accepts ids alone
def test_a_container_that_is_started_by_name(
    request: pytest.FixtureRequest, name: str, recorded_of: Callable[[Engine], Recorded]
) -> None:
    engine: Engine = request.getfixturevalue(name)
    container = engine.create("/bin/exit42")
    assert_started_alone(*recorded_of(engine)(lambda: engine.start(container)))
    engine.clear()


def test_a_container_that_is_restarted_by_name(
    docker: Docker, recorded_of: Callable[[Engine], Recorded]
) -> None:
    container = docker.create("/bin/exit42")
    restart = ("container", "restart", container)
    assert_started_alone(*recorded_of(docker)(lambda: docker.command(*restart)))
    docker.clear()


def assert_started_alone(done: Done, recording: Recording) -> None:
    assert done.returncode == 0, done.stderr
    assert programs(recording) == [["/bin/exit42"]]
    assert calls(recording, "program") == {"exit_group": 1}
    assert [each.joined for each in recording.sessions] == [False]


def test_a_command_that_starts_nothing_records_nothing_of_the_engine(
    engine: Engine, runtime: str, recorded: Recorded
) -> None:
    listing = {"docker": ["version"], "podman": ["version"], "containerd": ["version"]}
    done, recording = recorded(lambda: engine.command(*listing[engine.name]))
    assert done.returncode == 0
    assert recording.sessions == []
    assert not any(each.found_running for each in recording.processes)


FORMATS = ("docker", "podman", "oci", "spo")
OWN_FORMAT = {"docker": "docker", "podman": "podman", "containerd": "oci"}
SCRIPT = "/bin/true; echo $(/bin/ls /bin/true)"


def generate(file: Path, form: str, *options: str) -> Path:
    """Generate the engine's profile file; for Kubernetes, the file that the operator writes."""
    profile = file.with_name(f"profile-{form}.json")
    words = [SCRIPTS / "seclatch", "generate", "--format", form, *options, "-o", profile, file]
    subprocess.run(words, check=True)
    if form == "spo":
        spec = yaml.safe_load(profile.read_text())["spec"]
        profile.write_text(json.dumps(spec))
    return profile


def assert_binds(engine: Engine, runtime: str, profile: Path) -> None:
    """Check that the profile starts the recorded command and denies an unrecorded call."""
    options = {"runtime": runtime, "profile": profile}
    done = engine.run("/bin/sh", "-c", SCRIPT, **options)
    assert (done.returncode, done.stdout) == (0, "/bin/true\n"), (profile, done.stderr)
    outside = engine.run("/bin/mkdir", "/tmp/x", **options)
    assert (outside.returncode, "Operation not permitted" in outside.stderr) == (
        1,
        True,
    ), (profile, outside.stdout, outside.stderr)


def test_the_generated_profile_starts_it_and_binds(
    engine: Engine, runtime: str, recorded: Recorded, tmp_path: Path
) -> None:
    _, recording = recorded(lambda: engine.run("/bin/sh", "-c", SCRIPT, runtime=runtime))
    file = tmp_path / "again.json"
    recording_file.write_recording(file, recording)
    own = OWN_FORMAT[engine.name]
    for form in FORMATS if runtime == "runc" else (own,):
        assert_binds(engine, f"latched-{runtime}", generate(file, form))
    assert_binds(engine, runtime, generate(file, own, "--plain", runtime))


HEALTH = "touch /tmp/healthy"
UNTIL_HEALTHY = "until test -e /tmp/healthy; do sleep 0.1; done"


def test_a_healthcheck_is_recorded(
    docker: Docker, recorded_of: Callable[[Engine], Recorded], tmp_path: Path
) -> None:
    extra = ["--health-cmd", HEALTH, "--health-interval", "1s"]
    done, recording = recorded_of(docker)(
        lambda: docker.run("/bin/sh", "-c", UNTIL_HEALTHY, extra=extra)
    )
    assert done.returncode == 0, done.stderr
    assert ["/bin/sh", "-c", HEALTH] in programs(recording)
    assert sorted({each.joined for each in recording.sessions}) == [False, True]
    file = tmp_path / "again.json"
    recording_file.write_recording(file, recording)
    profile = generate(file, "docker")
    options = {"runtime": "latched-runc", "profile": profile, "extra": extra}
    done = docker.run("/bin/sh", "-c", UNTIL_HEALTHY, **options)
    assert done.returncode == 0, done.stderr
    docker.clear()


def test_podman_s_healthcheck_is_recorded(
    podman: Podman, recorded_of: Callable[[Engine], Recorded]
) -> None:
    extra = ["--health-cmd", HEALTH, "--health-interval", "disable"]
    container = podman.detach("/bin/sh", "-c", UNTIL_HEALTHY, extra=extra)
    done, recording = recorded_of(podman)(lambda: podman.command("healthcheck", "run", container))
    assert done.returncode == 0, done.stderr
    assert ["/bin/sh", "-c", HEALTH] in programs(recording)
    assert podman.wait(container) == 0
    podman.clear()


@pytest.mark.parametrize("runtime", ["runc"], indirect=True)  # the engine's part is the same
def test_image_and_versions(engine: Engine, runtime: str, recorded: Recorded) -> None:
    script = "/bin/sleep 2"  # a container that ended before its engine was asked has no image
    done, recording = recorded(
        lambda: engine.run("/bin/sh", "-c", script, runtime=f"latched-{runtime}")
    )
    assert done.returncode == 0
    [container] = recording.containers
    image = container.image
    assert image and recording.images == [image]
    assert image.name == IMAGE
    identity = {"docker": image.id, "podman": image.id, "containerd": image.digest}[engine.name]
    assert re.fullmatch("sha256:[0-9a-f]{64}", identity)
    versions = {each.name: each.version for each in recording.software}
    daemons = {"docker": "dockerd", "podman": "podman", "containerd": "containerd"}
    for name in (runtime, daemons[engine.name]):
        result = subprocess.run([name, "--version"], capture_output=True, text=True, check=True)
        assert versions[name] == result.stdout.splitlines()[0]
