from __future__ import annotations

import json
from pathlib import Path

import pytest

from seclatch.model.recording.origin import ContainerImage
from seclatch.recording.attribution.image_lookup import EngineClient, ImageLookup, find_client
from tests.unit.recording.traces import Story


@pytest.mark.parametrize(
    ("command", "client"),
    [
        ("docker run x", EngineClient("docker", ("docker",))),
        (
            "/usr/bin/docker -H unix://s run --rm x",
            EngineClient("docker", ("/usr/bin/docker", "-H", "unix://s")),
        ),
        (
            "sudo podman --root /r exec c ls",
            EngineClient("podman", ("sudo", "podman", "--root", "/r")),
        ),
        ("ctr -n k8s.io t exec c", EngineClient("ctr", ("ctr", "-n", "k8s.io"))),
        ("docker version", None),
        ("runc run x", None),
        ("docker", None),
    ],
)
def test_client_of_a_command(command: str, client: EngineClient | None) -> None:
    assert find_client(tuple(command.split())) == client


def ask(folder: Path, client: str, script: str, *argv: str) -> dict[int, ContainerImage]:
    """Query a client that is a script (real engines are queried in tests/engines)."""
    program = folder / client
    program.write_text("#!/bin/sh\n" + script)
    program.chmod(0o755)
    story = Story()
    story.exec(story.root, *argv)
    lookup = ImageLookup(EngineClient(client, (str(program),)))
    lookup.update(story.trace)
    lookup.update(story.trace)
    return lookup.finish()


def test_image_from_the_answer(tmp_path: Path) -> None:
    script = f'echo x >> {tmp_path}/asked; echo \'"abc" "name:tag" "sha256:d"\''
    found = ask(tmp_path, "podman", script, "runc", "create", "the-id")
    assert [*found.values()] == [
        ContainerImage(name="name:tag", id="sha256:abc", digest="sha256:d")
    ]
    assert (tmp_path / "asked").read_text() == "x\n"


@pytest.mark.parametrize(
    "script",
    ["exit 1", "echo nonsense", "echo '\"one\"'", "echo '{}'", "yes '\"x\"' | head -c 1000000"],
)
def test_invalid_answer_gives_no_image(tmp_path: Path, script: str) -> None:
    assert ask(tmp_path, "podman", script, "runc", "create", "the-id") == {}


def test_id_is_never_an_option(tmp_path: Path) -> None:
    script = f"touch {tmp_path}/asked"
    assert ask(tmp_path, "podman", script, "runc", "create", "--latest") == {}
    assert not (tmp_path / "asked").exists()


def test_docker_s_digest_is_queried_by_image(tmp_path: Path) -> None:
    digests = json.dumps(["r.example/x@sha256:m"])
    script = f"""case $* in image*) echo '{digests}';; *) echo '"sha256:i" "x"';; esac"""
    [found] = ask(tmp_path, "docker", script, "runc", "run", "the-id").values()
    assert found == ContainerImage(name="x", id="sha256:i", digest="sha256:m")
