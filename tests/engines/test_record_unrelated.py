"""Record only those running engines that took part in the command."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from seclatch.model.recording.recording import Recording
from seclatch.recording.files import recording_file
from tests.engines.docker import Docker
from tests.engines.engine import IMAGE, Done, Engine
from tests.engines.test_record import Recorded, client_words, programs, recorded, recorded_of
from tests.latch.oci import SCRIPTS

__all__ = ["recorded", "recorded_of"]  # fixtures
DAEMONS = {"docker": {"dockerd", "containerd"}, "podman": set(), "containerd": {"containerd"}}
"""That make a container which the engine's client asks for."""

Record = Callable[[Callable[[], Done]], tuple[Done, Recording]]


@pytest.fixture(params=[0, 65534], ids=["root", "nobody"])
def namesake(request: pytest.FixtureRequest) -> Iterator[int]:
    """Run a busy program named containerd that has nothing to do with containers."""
    with tempfile.TemporaryDirectory(prefix="seclatch-namesake-") as folder:
        Path(folder).chmod(0o755)
        program = shutil.copy("/bin/dash", Path(folder) / "containerd")
        words = [program, "-c", "while :; do kill -0 $$; read -t 1 x; sleep 0.1; done"]
        with subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, user=request.param
        ) as process:
            yield process.pid
            process.kill()


def engines(recording: Recording) -> dict[str, int]:
    """Map the programs of processes that ran before the recording to their pids."""
    return {
        os.path.basename(each.images[0].exe): each.pid  # noqa: PTH119
        for each in recording.processes
        if each.found_running
    }


def test_an_unrelated_program_named_containerd_is_left_out(
    engine: Engine, runtime: str, recorded: Recorded, namesake: int
) -> None:
    done, recording = recorded(lambda: engine.run("/bin/exit42", runtime=runtime))
    assert done.returncode == 42
    assert programs(recording) == [["/bin/exit42"]]
    assert namesake not in {each.pid for each in recording.processes}
    assert set(engines(recording)) == DAEMONS[engine.name]


def test_the_shim_of_another_container_is_left_out(
    engine: Engine, runtime: str, recorded: Recorded
) -> None:
    """It is connected to the same daemon, but did nothing for the command."""
    engine.detach("/bin/sleep", "100")
    container = engine.detach("/bin/sleep", "100")
    done, recording = recorded(lambda: engine.run("/bin/exit42", runtime=runtime))
    assert done.returncode == 42
    assert set(engines(recording)) == DAEMONS[engine.name]
    done, recording = recorded(lambda: engine.exec(container, "/bin/exit42"))
    assert done.returncode == 42
    shims = set() if engine.name == "podman" else {"containerd-shim-runc-v2"}
    assert set(engines(recording)) == DAEMONS[engine.name] | shims
    found = [each for each in recording.processes if each.found_running]
    assert len(found) == len(DAEMONS[engine.name] | shims)


def test_a_recording_of_the_client_alone_warns(
    docker: Docker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within a private pid namespace the recorder sees no engine."""
    words = client_words(docker, monkeypatch, "/bin/exit42")
    path = tmp_path / "x.json"
    recorder = ["unshare", "-pf", "--mount-proc", SCRIPTS / "seclatch", "record", "-o", path, "--"]
    done = docker.host.run(*recorder, *words)
    assert done.returncode == 42
    assert "docker asked an engine, and no container was seen to start" in done.stderr
    assert "run seclatch on the host" in done.stderr
    assert recording_file.read_recording(path).sessions == []


def test_an_image_build_is_distinguished_from_a_container(
    docker: Docker, recorded_of: Callable[[Engine], Recorded], tmp_path: Path
) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {IMAGE}\nRUN /bin/true\n")
    builder = {"DOCKER_BUILDKIT": "0"}
    done, recording = recorded_of(docker)(
        lambda: docker.host.run(
            "docker", "-H", docker.address, "build", "--network", "none", tmp_path, env=builder
        )
    )
    assert done.returncode == 0, done.stderr
    assert recording.sessions == []
    assert "no container was seen to start" in done.stderr
    assert "as for a build" in done.stderr


def test_a_start_that_fails_in_the_runtime_is_more_than_a_client(
    engine: Engine, runtime: str, recorded: Recorded
) -> None:
    done, recording = recorded(lambda: engine.run("/nowhere", runtime=runtime))
    assert done.returncode not in (0, 42)
    files = [image.exe for each in recording.processes for image in each.images]
    assert runtime in {Path(each).name for each in files}
    assert "recording of the client alone" not in done.stderr


def test_a_command_without_a_container_gives_no_warning(engine: Engine, recorded: Recorded) -> None:
    done, _ = recorded(lambda: engine.command("version"))
    assert "no container" not in done.stderr
