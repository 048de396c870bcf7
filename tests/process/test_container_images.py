"""An engine that is queried for an image may answer anything, or nothing."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from seclatch.model.recording.origin import ContainerImage
from seclatch.process import container_images
from seclatch.process.containers import docker_containers
from seclatch.process.containers.membership import FoundContainer

IDENTIFIER = "c" * 64
FOUND = FoundContainer(IDENTIFIER, "docker", monitor=1)


def answer(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def serve(path: Path, content: bytes) -> socket.socket:
    """Start a daemon that gives the same answer to all requests."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen()

    def run() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                connection.recv(4096)
                connection.sendall(content)

    threading.Thread(target=run, daemon=True).start()
    return listening


def asked(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, identifier: str = IDENTIFIER
) -> ContainerImage | None:
    path = tmp_path / "s"
    monkeypatch.setattr(docker_containers, "find_sockets", lambda _: [str(path)])
    listening = serve(path, content)
    try:
        return container_images.query_image(FOUND, identifier, {})
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"rubbish\r\n\r\n",
        answer(b"{}")[:-1],
        answer(b"[]"),
        answer(b"\xff"),
        answer(b'{"Image": ' + b"[" * 100_000),
        answer(b'{"Image": "x", "Config": null}'),
        answer(b'{"Image": "a b\\r\\nc", "Config": {"Image": "x"}}'),
    ],
)
def test_bad_answer_is_no_error(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asked(content, tmp_path, monkeypatch) is None


def test_long_names_are_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = b'{"Image": "sha256:1", "Config": {"Image": "%s"}}' % (b"x" * 100_000)
    found = asked(answer(body), tmp_path, monkeypatch)
    assert found is not None
    assert (found.id, len(found.name)) == ("sha256:1", 4096)


@pytest.mark.parametrize("identifier", ["", "-x", "../images", "a/b"])
def test_invalid_id_is_not_queried(
    identifier: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = b'{"Image": "sha256:1", "Config": {"Image": "x"}}'
    assert asked(answer(body), tmp_path, monkeypatch, identifier) is None
