"""Daemons' activity is kept if the command asked for it by id."""

from __future__ import annotations

import pytest

from seclatch.recording.attribution.attribution import drop_unrelated
from tests.unit.recording.traces import Story

ID = "e284ea53150a" * 5
OTHER = "0123456789ab" * 5


def shim(story: Story, daemon: int, identifier: str) -> set[int]:
    start = story.exec(
        story.fork(daemon), "/bin/containerd-shim-runc-v2", "-id", identifier, "start"
    )
    server = story.exec(story.fork(start), "/bin/containerd-shim-runc-v2", "-id", identifier)
    runc = story.exec(story.fork(server), "runc", "create", "--pid-file", "/x/init.pid", identifier)
    return {story.trace.segments[segment].process for segment in (start, server, runc)}


def test_requested_container_is_kept_and_others_dropped() -> None:
    story = Story()
    client = story.exec(story.root, "docker", "run")
    daemon = story.found("/bin/dockerd")
    busy = story.found("/bin/containerd-shim-runc-v2", "-id", OTHER)
    ours = shim(story, daemon, ID)
    unrelated = shim(story, daemon, OTHER)
    story.says(client, f"POST /v1.45/containers/{ID}/start HTTP/1.1\r\nHost: x".encode())
    kept = set(drop_unrelated(story.trace).processes)
    assert ours <= kept
    assert not unrelated & kept
    assert story.trace.segments[daemon].process in kept
    assert story.trace.segments[busy].process not in kept


def test_uninvolved_daemon_is_dropped() -> None:
    story = Story()
    story.exec(story.root, "docker", "version")
    daemon = story.found("/bin/dockerd")
    shim(story, daemon, OTHER)
    assert set(drop_unrelated(story.trace).processes) == {0}


@pytest.mark.parametrize(
    ("asking", "kept"), [("4242", True), ("4243", False), ("", False), ("x", False), (None, False)]
)
def test_other_user_s_engine_is_trusted_only_for_sudo_s_user(
    asking: str | None, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SUDO_UID may have any content."""
    monkeypatch.delenv("SUDO_UID", raising=False)
    if asking is not None:
        monkeypatch.setenv("SUDO_UID", asking)
    story = Story()
    client = story.exec(story.root, "docker", "run")
    daemon = story.found("/bin/dockerd", user=4242)
    ours = shim(story, daemon, ID)
    story.says(client, f"POST /v1.45/containers/{ID}/start HTTP/1.1".encode())
    found = set(drop_unrelated(story.trace).processes)
    assert (ours <= found, story.trace.segments[daemon].process in found) == (kept, kept)


def test_shim_connected_to_one_daemon_is_not_involved() -> None:
    """containerd, asked by ctr, makes a shim of its own; another container's is connected to it."""
    story = Story()
    client = story.exec(story.root, "ctr", "run")
    daemon = story.found("/bin/containerd")
    busy = story.found("/bin/containerd-shim-runc-v2", "-id", OTHER)
    shim(story, daemon, ID)
    story.says(client, bytes([len(ID)]) + ID.encode())
    story.links(client, daemon)
    story.links(daemon, busy)
    kept = set(drop_unrelated(story.trace).segments)
    assert daemon in kept
    assert busy not in kept


def test_daemon_that_forwards_a_request_is_involved() -> None:
    """containerd, between dockerd and the shim of the container with the session."""
    story = Story()
    client = story.exec(story.root, "docker", "exec")
    docker = story.found("/bin/dockerd")
    between = story.found("/bin/containerd")
    running = story.found("/bin/containerd-shim-runc-v2", "-id", OTHER)
    story.exec(story.fork(running), "runc", "exec", "--pid-file", f"/x/{ID}.pid", OTHER)
    story.says(client, f"POST /v1.45/exec/{ID}/start HTTP/1.1".encode())
    for one, other in ((client, docker), (docker, between), (between, running)):
        story.links(one, other)
    assert {docker, between, running} <= set(drop_unrelated(story.trace).segments)


def test_exec_session_is_found_by_its_own_id() -> None:
    story = Story()
    client = story.exec(story.root, "docker", "exec")
    running = story.found("/bin/containerd-shim-runc-v2", "-id", OTHER)
    ours = story.exec(story.fork(running), "runc", "exec", "--pid-file", f"/x/{ID}.pid", OTHER)
    theirs = story.exec(story.fork(running), "runc", "exec", "--pid-file", "/x/zz.pid", OTHER)
    story.says(client, f"POST /v1.45/exec/{ID}/start HTTP/1.1".encode())
    kept = set(drop_unrelated(story.trace).segments)
    assert ours in kept
    assert theirs not in kept
    assert running in kept


@pytest.mark.parametrize(
    ("message", "kept"),
    [
        (b"\x0a\x02c1\x12", True),  # protobuf: the length precedes
        (b"/containers/c1/start", True),
        (b"xc1y", False),
        (b"/containers/c10/start", False),
        (b"", False),
    ],
)
def test_id_must_be_a_whole_path_element_or_string(message: bytes, kept: bool) -> None:
    story = Story()
    client = story.exec(story.root, "ctr", "run")
    daemon = story.found("/bin/containerd")
    ours = shim(story, daemon, "c1")
    story.says(client, message)
    assert (ours <= set(drop_unrelated(story.trace).processes)) is kept


def test_writes_of_daemons_are_ignored() -> None:
    story = Story()
    story.exec(story.root, "docker", "run")
    daemon = story.found("/bin/dockerd")
    ours = shim(story, daemon, ID)
    story.says(daemon, f"/{ID}/".encode())
    assert not ours & set(drop_unrelated(story.trace).processes)


def test_without_daemons_nothing_changes() -> None:
    story = Story()
    story.exec(story.root, "true")
    assert drop_unrelated(story.trace) is story.trace
