"""What the latch asks the recorder, and that no recorder holds up or prevents a start."""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.latch.oci import copy_front

ANNOTATED = '{"annotations": {"seclatch.record": "x"}}'


@pytest.fixture
def front(tmp_path: Path) -> Path:
    """Provide a front of /bin/true with a link to the socket `s`."""
    front = copy_front(tmp_path / "fronts", "seclatch-x", "/bin/true")
    front.with_name("seclatch-x.record").symlink_to(tmp_path / "s")
    (tmp_path / "config.json").write_text(ANNOTATED)
    return front


@contextlib.contextmanager
def listening(path: Path, backlog: int = 8) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(path))
        listener.listen(backlog)
        yield listener


def run(front: Path, tmp_path: Path) -> float:
    """Start a container by the front; return the seconds that it took."""
    began = time.monotonic()
    words = [front, "run", "--bundle", tmp_path, "the-id"]
    done = subprocess.run(
        words, check=False, env={"SECLATCH_MODE": "plain"}, stdin=subprocess.DEVNULL, timeout=60
    )
    assert done.returncode == 0  # the container starts whatever happens to the recorder
    return time.monotonic() - began


@pytest.mark.root
@pytest.mark.parametrize("answer", [b"1", b"0"])
def test_request(front: Path, tmp_path: Path, answer: bytes) -> None:
    got: list[object] = []

    def serve(listener: socket.socket) -> None:
        client, _ = listener.accept()
        with client:
            content, files, _, _ = socket.recv_fds(client, 4096, 4)
            [file] = files
            seals = fcntl.fcntl(file, fcntl.F_GET_SEALS)
            got.extend([content, os.pread(file, 4096, 0), bool(seals & fcntl.F_SEAL_WRITE)])
            os.close(file)
            client.send(answer)

    with listening(tmp_path / "s") as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        run(front, tmp_path)
        thread.join(60)
    assert got == [b"record\0the-id", ANNOTATED.encode(), True]


@pytest.mark.root
@pytest.mark.parametrize("config", ["{}", '{"annotations": {"other": "x"}}'])
def test_no_annotation_no_request(front: Path, tmp_path: Path, config: str) -> None:
    (tmp_path / "config.json").write_text(config)
    with listening(tmp_path / "s") as listener:
        run(front, tmp_path)
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_an_absent_recorder(front: Path, tmp_path: Path) -> None:
    run(front, tmp_path)
    (tmp_path / "s").write_text("no socket")
    run(front, tmp_path)


@pytest.mark.root
@pytest.mark.parametrize("kind", ["silent", "queue is full", "closes", "garbage"])
def test_a_recorder_that_does_not_serve(front: Path, tmp_path: Path, kind: str) -> None:
    """Two seconds are waited in all, with some time to spare for a busy machine."""

    def answer(listener: socket.socket) -> None:
        client, _ = listener.accept()
        if kind == "garbage":
            client.send(b"x" * 100)
        client.close()

    full = kind == "queue is full"
    with listening(tmp_path / "s", 0 if full else 8) as listener, contextlib.ExitStack() as held:
        if full:
            first = held.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
            first.connect(str(tmp_path / "s"))
        if kind in ("closes", "garbage"):
            threading.Thread(target=answer, args=(listener,), daemon=True).start()
        seconds = run(front, tmp_path)
    waits = kind in ("silent", "queue is full")
    assert seconds >= 2 if waits else True
    assert seconds < 20


OTHER = """
import os, socket, sys
listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
listener.bind(sys.argv[1])
os.setuid(65534)
listener.listen(8)  # its credentials are those of now (unix(7), SO_PEERCRED)
print("ready", flush=True)
client, _ = listener.accept()
print("got", client.recv(4096), flush=True)
"""


@pytest.mark.root
def test_a_recorder_of_another_user_is_sent_nothing(front: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-c", OTHER, str(tmp_path / "s")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdout.readline() == "ready\n"
        run(front, tmp_path)
        assert process.stdout.readline() == "got b''\n"


@pytest.mark.root
def test_a_configuration_that_is_a_pipe_or_too_long(front: Path, tmp_path: Path) -> None:
    sizes = array.array("Q")

    def serve(listener: socket.socket) -> None:
        client, _ = listener.accept()
        with client:
            _, files, _, _ = socket.recv_fds(client, 4096, 4)
            sizes.append(os.fstat(files[0]).st_size)
            os.close(files[0])
            client.send(b"0")

    (tmp_path / "config.json").write_text(ANNOTATED + " " * (20 << 20))
    with listening(tmp_path / "s") as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        run(front, tmp_path)
        thread.join(60)
    assert 16 << 20 < sizes[0] < 17 << 20  # so that the recorder sees that it is too long
    (tmp_path / "config.json").unlink()
    os.mkfifo(tmp_path / "config.json")
    run(front, tmp_path)
