"""`seclatch explain` runs real engines' containers again: by itself, or asked by --confirm."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.engines.docker import Docker
from tests.engines.engine import IMAGE, Engine
from tests.explain.conftest import SCHEMA
from tests.explain.corpus import denying
from tests.latch.oci import SCRIPTS, wait_until

SCRIPT = "mkdir /x && exit 0; echo something else; exit 7"


def confirm(words: list[str], path: Path, *options: str) -> tuple[dict[str, Any], str]:
    """Return the explanation of a client's command line, and what that printed."""
    explain = [str(SCRIPTS / "seclatch"), "explain", *options, "--json", "-o", str(path), "--"]
    done = subprocess.run(
        [*explain, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
    document: dict[str, Any] = json.loads(path.read_text())
    jsonschema.validate(document, SCHEMA)
    assert document["status"] == done.returncode, done.stderr
    return document, done.stdout


def list_containers(engine: Engine) -> list[str]:
    words = ["containers", "list", "-q"] if engine.name == "containerd" else ["ps", "-aq"]
    return engine.must(*words).split()


def list_client_words(engine: Engine, folder: Path, script: str) -> list[str]:
    """Return the client's command line that runs a script in which mkdir is denied."""
    file = folder / "profile.json"
    file.write_text(json.dumps(denying("mkdir")))
    words: list[str] = []
    plain = engine.host.argv

    def keep(*more: str | os.PathLike[str]) -> list[str]:
        words[:] = words or plain(*more)  # the first call: ctr is called again if it prints nothing
        return ["true"]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine.host, "argv", keep)
        engine.run("/bin/sh", "-c", script, runtime="crun", profile=file)
    return words


def test_a_second_container_decides(engine: Engine, tmp_path: Path) -> None:
    """The first one has a name; the others need another one, and are removed.

    It has no network, no volume and no device: `explain` makes them without being asked.
    """
    words = list_client_words(engine, tmp_path, SCRIPT)
    document, output = confirm(words, tmp_path / "why.json")
    assert (document["seccomp"], document["cause"]) == (True, "program-denied"), document[
        "confirmation"
    ]
    runs = [(each["allowed"], each["end"]) for each in document["confirmation"]["runs"]]
    assert runs == [([], "same"), (["mkdir"], "succeeded"), ([], "same")], document["confirmation"]
    assert (document["status"], output) == (7, "something else\n")
    engine.clear()
    assert list_containers(engine) == []


def test_a_container_in_the_background_under_the_engine_s_profile(
    docker: Docker, tmp_path: Path
) -> None:
    """It is kept, since --rm is not given; the others run in the foreground and are removed."""
    name = docker.new_name()
    script = "unshare -U true && exit 0; echo something else; exit 7"
    words = ["docker", "-H", docker.address, "run", "-d", "--name", name, "--network", "none"]
    command = docker.host.argv(*words, IMAGE, "/bin/sh", "-c", script)
    document, _ = confirm(command, tmp_path / "why.json", "--confirm")
    assert document["seccomp"] is True, document
    assert document["confirmation"]["calls"] == ["unshare"], document["confirmation"]
    assert len(list_containers(docker)) == 1
    assert docker.wait(name) == 7
    docker.clear()


def run_denied(docker: Docker, folder: Path, *words: str, image: str = IMAGE) -> list[str]:
    """Return a `docker run` in which mkdir is denied, with further words for it."""
    file = folder / "profile.json"
    file.write_text(json.dumps(denying("mkdir")))
    given = ["docker", "-H", docker.address, "run", "--security-opt", f"seccomp={file}", *words]
    return docker.host.argv(*given, image, "/bin/sh", "-c", f"echo > /data/x; {SCRIPT}")


def test_volumes_without_a_name_go_with_their_containers(docker: Docker, tmp_path: Path) -> None:
    """The image has a VOLUME; the first container, which is not the experiment's, keeps its own."""
    image = "seclatch.test/volume:latest"
    made = docker.must("create", IMAGE, "/bin/true").strip()
    docker.must("commit", "--change", "VOLUME /data", made, image)
    docker.must("rm", made)
    before, others = docker.must("volume", "ls", "-q").split(), set(list_containers(docker))
    document, _ = confirm(run_denied(docker, tmp_path, image=image), tmp_path / "why.json")
    assert (document["seccomp"], document["confirmation"]["calls"]) == (True, ["mkdir"]), document
    [container] = set(list_containers(docker)) - others
    docker.must("rm", "--volumes", container)
    assert docker.must("volume", "ls", "-q").split() == before
    docker.must("rmi", image)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("-v", "{}:/data"), "it may write to {} of this host (at /data)"),
        (("-v", "seclatch-data:/data"), "it may write to "),
        (("--network", "host", "--tmpfs", "/data"), "its network is not its own (--network host)"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_container_that_reaches_further_runs_once(
    docker: Docker, tmp_path: Path, words: tuple[str, ...], reason: str
) -> None:
    folder, before = docker.directory / "shared", set(list_containers(docker))
    docker.host.path(folder).mkdir(exist_ok=True)
    command = run_denied(docker, tmp_path, *(word.format(folder) for word in words))
    document, _ = confirm(command, tmp_path / "why.json")
    assert document["confirmation"]["runs"] == []
    assert document["confirmation"]["reason"].startswith(reason.format(folder))
    assert document["seccomp"] is None, document
    [first] = set(list_containers(docker)) - before
    docker.must("rm", first)


def test_a_further_container_goes_when_explain_is_killed(engine: Engine, tmp_path: Path) -> None:
    """Killed with the engine's client, which so removes nothing itself."""
    asleep = f"sleep {100_000 + os.getpid()}"
    words = list_client_words(engine, tmp_path, f"mkdir /x && exec {asleep}; echo else; exit 7")
    explain = [str(SCRIPTS / "seclatch"), "explain", "-o", str(tmp_path / "why"), "--", *words]
    with subprocess.Popen(
        explain,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as running:
        wait_until(lambda: is_running(asleep), "the further container's program")
        os.killpg(running.pid, signal.SIGKILL)
        assert running.wait(timeout=60) == -signal.SIGKILL
    wait_until(lambda: not is_running(asleep), "its end")
    engine.clear()
    wait_until(lambda: list_containers(engine) == [], "its removal")
    wait_until(lambda: not list(tmp_path.glob("seclatch-confirm-*")), "that of its profile")


def is_running(command: str) -> bool:
    words = ["pgrep", "-f", f"^{command}$"]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0
