"""Recording what an engine starts: through daemon and shim, and nothing of other containers."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from seclatch.model.recording import Recording
from seclatch.record import store
from tests.engines.engine import Done, Engine
from tests.engines.host import ENVIRONMENT
from tests.latch.oci import SCRIPTS

Recorded = Callable[[Callable[[], Done]], tuple[Done, Recording]]


@pytest.fixture
def recorded(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[], Done]], tuple[Done, Recording]]:
    """recorded(CALL): what the client commands within CALL make is recorded."""
    plain = engine.host.argv
    path = tmp_path / "recording.json"

    @contextmanager
    def recorder() -> Iterator[None]:
        words = [str(SCRIPTS / "seclatch"), "record", "-o", str(path), "--"]
        with monkeypatch.context() as patch:
            patch.setattr(engine.host, "argv", lambda *more: [*words, *plain(*more)])
            yield

    def record(call: Callable[[], Done]) -> tuple[Done, Recording]:
        with recorder():
            done = call()
        recording = store.read(path)
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


@pytest.fixture
def foreign_starts(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Another client starts containers at the same daemon, one after the other."""
    words: list[tuple[str, ...]] = []

    def note(*command: str, **_: object) -> Done:
        words.append(tuple(map(str, command)))
        return Done(command, 0, "", "")

    with monkeypatch.context() as patch:
        patch.setattr(engine.host, "run", note)
        engine.run("/bin/false")
    loop = ["sh", "-c", 'while :; do "$@"; done', "sh", *words[0]]
    process = subprocess.Popen(
        engine.host.argv(*loop), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, env=ENVIRONMENT, start_new_session=True,
    )  # fmt: skip
    yield
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.usefixtures("foreign_starts")
def test_what_the_engine_starts_for_others_is_left_out(
    engine: Engine, runtime: str, recorded: Recorded
) -> None:
    script = "i=0; while test $i -lt 3; do /bin/sleep 1; i=$((i + 1)); done"
    done, recording = recorded(lambda: engine.run("/bin/sh", "-c", script, runtime=runtime))
    assert done.returncode == 0
    assert len(recording.containers) == 1
    assert programs(recording) == [["/bin/sh", "-c", script], *[["/bin/sleep", "1"]] * 3]
    assert "/bin/false" not in str(recording)


def test_an_exec_session_is_followed(engine: Engine, runtime: str, recorded: Recorded) -> None:
    container = engine.detach("/bin/sleep", "100", runtime=runtime)
    done, recording = recorded(lambda: engine.exec(container, "/bin/exit42"))
    assert done.returncode == 42
    assert programs(recording) == [["/bin/exit42"]]
    assert calls(recording, "program") == {"exit_group": 1}
    assert [each.joined for each in recording.sessions] == [True]


def test_a_command_that_starts_nothing_has_nothing_of_the_engine(
    engine: Engine, runtime: str, recorded: Recorded
) -> None:
    listing = {"docker": ["version"], "podman": ["version"], "containerd": ["version"]}
    done, recording = recorded(lambda: engine.command(*listing[engine.name]))
    assert done.returncode == 0
    assert recording.sessions == []
    assert not any(each.found_running for each in recording.processes)


def test_the_generated_profile_starts_it_and_binds(
    engine: Engine, runtime: str, recorded: Recorded, tmp_path: Path
) -> None:
    script = "/bin/true; echo $(/bin/ls /bin/true)"
    _, recording = recorded(lambda: engine.run("/bin/sh", "-c", script, runtime=runtime))
    file, profile = tmp_path / "again.json", tmp_path / "profile.json"
    store.write(file, recording)
    subprocess.run([SCRIPTS / "seclatch", "generate", "-o", profile, file], check=True)
    options = {"runtime": f"latched-{runtime}", "profile": profile}
    done = engine.run("/bin/sh", "-c", script, **options)
    assert (done.returncode, done.stdout) == (0, "/bin/true\n"), done.stderr
    outside = engine.run("/bin/mkdir", "/tmp/x", **options)
    assert (outside.returncode, "Operation not permitted" in outside.stderr) == (1, True)
