"""An engine that was asked and not recorded: its actions are unknown."""

from __future__ import annotations

from errno import ECONNREFUSED

import pytest

from tests.unit.diagnose.runs import NUMBERS, Run

DOCKERD = frozenset({"dockerd"})
WORDS = "mkdir: can't create directory '/x': Operation not permitted"


def asked(*argv: str, message: bytes = b"", words: str = WORDS) -> Run:
    """Make a client that connected, over a Unix socket if it wrote something."""
    run = Run(*argv)
    client = run.exec(run.root, *argv)
    run.trace.segments[client].calls[False, NUMBERS["connect"]] += 1
    if message:
        run.says(client, message)
    run.tells(client, words)
    run.ends(client, 1)
    return run


@pytest.mark.parametrize(
    ("argv", "message", "engines"),
    [
        ("docker run x", b"POST /v1.45/containers/create", frozenset[str]()),
        ("docker run x", b"", DOCKERD),  # by TCP: whose daemon that is nobody knows
        ("docker compose up", b"", frozenset[str]()),
        ("ctr run x y", b"x", DOCKERD),
        ("podman --remote run x", b"", frozenset[str]()),
        ("podman run x", b"GET /v5.4.0/libpod/_ping", DOCKERD),
        ("kubectl run x", b"", DOCKERD),
    ],
)
@pytest.mark.parametrize("words", [WORDS, "cannot start a stopped process: unknown", "No such x"])
def test_unrecorded_engine_gives_no_verdict(
    argv: str, message: bytes, engines: frozenset[str], words: str
) -> None:
    found = asked(*argv.split(), message=message, words=words).cause(engines=engines)
    assert (found.seccomp, found.cause) == (None, "engine-not-seen"), found
    assert found.summary.startswith(words)  # the reason comes first
    assert not any("no call was denied" in fact for fact in found.evidence)


@pytest.mark.parametrize("words", ["run x sh -c true", "run -c 512 x", "create -c 512 x"])
def test_local_podman_is_recorded(words: str) -> None:
    """Behind the verb an option does not name a service."""
    assert asked("podman", *words.split()).cause().cause != "engine-not-seen"


def test_a_wrapper_of_a_client() -> None:
    run = asked("sh", "-c", "docker run x", words="")
    client = run.exec(run.fork(2), "docker", "run", "x")
    run.trace.segments[client].calls[False, NUMBERS["connect"]] += 1
    run.tells(client, WORDS)
    run.ends(client, 1)
    assert run.cause().cause == "engine-not-seen"


def test_recorded_engine_without_a_container() -> None:
    run = asked(
        "docker", "run", "x", message=b"POST /v1.45/containers/create", words="No such image"
    )
    assert (run.cause(engines=DOCKERD).seccomp, run.cause(engines=DOCKERD).cause) == (
        False,
        "engine-failed",
    )


def test_engine_not_reached_or_not_asked() -> None:
    run = Run("docker", "run", "x")
    client = run.exec(run.root, "docker", "run", "x")
    run.ends(client, 125)
    run.tells(client, "unknown flag: --nope")
    assert run.cause(125).seccomp is False
    run.fails(client, "connect", ECONNREFUSED)
    run.tells(client, "docker: Cannot connect to the Docker daemon")
    assert run.cause(125).seccomp is False


def test_success_through_an_unrecorded_engine() -> None:
    found = asked("docker", "run", "-d", "x", words="").cause(0)
    assert (found.cause, found.evidence) == (
        "none",
        ["the engine that it asked could not be recorded from here"],
    )


STEP = 'ERROR: failed to solve: process "/bin/sh -c mkdir /x" did not complete successfully: '
STEP += "exit code: 1"


@pytest.mark.parametrize(
    ("argv", "words", "cause"),
    [
        ("docker build .", STEP, "engine-not-seen"),
        ("docker buildx build .", STEP, "engine-not-seen"),
        ("docker build .", "The command 'mkdir /x' returned a non-zero code: 1", "engine-not-seen"),
        ("docker build .", "ERROR: failed to read dockerfile: no such file", "missing-file"),
        ("docker run x", STEP, "engine-failed"),
    ],
)
def test_a_builds_steps_are_not_recorded(argv: str, words: str, cause: str) -> None:
    """The daemon was recorded, but its builder works for all builds alike."""
    run = asked(*argv.split(), message=b"POST /session", words=words)
    found = run.cause(engines=DOCKERD)
    assert found.cause == cause, found
    if cause == "engine-not-seen":
        assert found.seccomp is None
        assert any("docker run" in fact for fact in found.evidence)
