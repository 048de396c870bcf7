"""An agent for SCMP_ACT_NOTIFY: receives a runtime's listener and allows every call."""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import select
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# <linux/seccomp.h>: _IOWR('!', 0, struct seccomp_notif), _IOWR('!', 1, struct seccomp_notif_resp)
RECEIVE, SEND = 0xC0502100, 0xC0182101
CONTINUE = 1


def _answer(listener: int, asked: list[int]) -> None:
    """Answer until no process is left under the filter.

    ENOENT also means that a signal has interrupted the call, which the process makes anew
    (seccomp_unotify(2)): Go's scheduler sends such. To close the listener then would answer ENOSYS.
    """
    while not _is_hung_up(listener):
        with contextlib.suppress(FileNotFoundError):
            notice = array.array("B", bytes(80))
            fcntl.ioctl(listener, RECEIVE, notice)
            identity, _, _, number = struct.unpack_from("=QIIi", notice)
            asked.append(number)
            fcntl.ioctl(listener, SEND, struct.pack("=QqiI", identity, 0, 0, CONTINUE))
    os.close(listener)


def _is_hung_up(listener: int) -> bool:
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    return any(events & select.POLLHUP for _, events in poll.poll())


def _serve(server: socket.socket, asked: list[int]) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection:
            _, listeners, _, _ = socket.recv_fds(connection, 1 << 16, 4)
        for listener in listeners:
            threading.Thread(target=_answer, args=(listener, asked), daemon=True).start()


@contextmanager
def agent(path: Path, mode: int = 0o755) -> Iterator[list[int]]:
    """Listen at `path` (OCI: listenerPath); yield the list of the numbers of reported calls."""
    asked: list[int] = []
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        path.chmod(mode)  # connect(2) needs write permission
        server.listen()
        threading.Thread(target=_serve, args=(server, asked), daemon=True).start()
        yield asked
        server.shutdown(socket.SHUT_RDWR)
