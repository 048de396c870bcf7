"""`seclatch explain --confirm` before real engines' clients: second containers, and no remains."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.engines.docker import Docker
from tests.engines.engine import IMAGE, Engine
from tests.explain.conftest import SCHEMA
from tests.explain.corpus import denying
from tests.latch.oci import SCRIPTS

SCRIPT = "mkdir /x && exit 0; echo something else; exit 7"


def confirm(words: list[str], path: Path) -> tuple[dict[str, Any], str]:
    """Return the explanation of a client's command line, and what that printed."""
    explain = [str(SCRIPTS / "seclatch"), "explain", "--confirm", "--json", "-o", str(path), "--"]
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


def test_a_second_container_decides(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one has a name; the others need another one, and are removed."""
    file = tmp_path / "profile.json"
    file.write_text(json.dumps(denying("mkdir")))
    words: list[str] = []
    plain = engine.host.argv

    def keep(*more: str | os.PathLike[str]) -> list[str]:
        words[:] = words or plain(*more)  # the first call: ctr is called again if it prints nothing
        return ["true"]

    with monkeypatch.context() as patch:
        patch.setattr(engine.host, "argv", keep)
        engine.run("/bin/sh", "-c", SCRIPT, runtime="crun", profile=file)
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
    document, _ = confirm(command, tmp_path / "why.json")
    assert document["seccomp"] is True, document
    assert document["confirmation"]["calls"] == ["unshare"], document["confirmation"]
    assert len(list_containers(docker)) == 1
    assert docker.wait(name) == 7
    docker.clear()
