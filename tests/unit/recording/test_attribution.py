"""What a daemon did is kept if the command asked for it by id."""

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
    return {story.trace.segments[each].process for each in (start, server, runc)}


def test_what_was_asked_for_is_kept_and_the_rest_is_not() -> None:
    story = Story()
    client = story.exec(story.root, "docker", "run")
    daemon = story.found("/bin/dockerd")
    busy = story.found("/bin/containerd-shim-runc-v2", "-id", OTHER)
    ours = shim(story, daemon, ID)
    foreign = shim(story, daemon, OTHER)
    story.says(client, f"POST /v1.45/containers/{ID}/start HTTP/1.1\r\nHost: x".encode())
    kept = set(drop_unrelated(story.trace).processes)
    assert ours <= kept
    assert not foreign & kept
    assert story.trace.segments[daemon].process in kept
    assert story.trace.segments[busy].process not in kept


def test_a_daemon_that_did_nothing_for_it_is_left_out() -> None:
    story = Story()
    story.exec(story.root, "docker", "version")
    daemon = story.found("/bin/dockerd")
    shim(story, daemon, OTHER)
    assert set(drop_unrelated(story.trace).processes) == {0}


@pytest.mark.parametrize(
    ("asking", "kept"), [("4242", True), ("4243", False), ("", False), ("x", False), (None, False)]
)
def test_another_user_s_engine_is_sudo_s_user_s(
    asking: str | None, kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the variable holds."""
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


def test_a_shim_beside_the_one_daemon_is_between_nothing() -> None:
    """containerd, asked by ctr, makes a shim of its own; another container's is linked to it."""
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


def test_who_passes_a_request_on_is_between_two_others() -> None:
    """containerd, between dockerd and the shim in whose container the session is."""
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


def test_an_exec_session_is_found_by_its_own_id() -> None:
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
    ("said", "kept"),
    [
        (b"\x0a\x02c1\x12", True),  # protobuf: the length precedes
        (b"/containers/c1/start", True),
        (b"xc1y", False),
        (b"/containers/c10/start", False),
        (b"", False),
    ],
)
def test_an_id_must_be_a_whole_word(said: bytes, kept: bool) -> None:
    story = Story()
    client = story.exec(story.root, "ctr", "run")
    daemon = story.found("/bin/containerd")
    ours = shim(story, daemon, "c1")
    story.says(client, said)
    assert (ours <= set(drop_unrelated(story.trace).processes)) is kept


def test_what_the_daemons_say_counts_for_nothing() -> None:
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
