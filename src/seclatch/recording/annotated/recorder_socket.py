"""The socket on which the latch asks for recordings: root alone may connect.

What arrives is hostile all the same: a client that sends nothing, too much, or too many files holds
up no other. Each has one message to send, within seconds; only so many may be connected at a time,
and a connection's descriptor is closed with its answer.
"""

from __future__ import annotations

import array
import contextlib
import errno
import fcntl
import os
import select
import socket
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from seclatch.errors import SeclatchError
from seclatch.system.recorder_client import MAX_MESSAGE, read_peer

_BACKLOG = 512
_MAX_CLIENTS = 256
_PATIENCE = 2.0
_SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW


@dataclass(eq=False)
class RecorderRequest:
    """One message of a client, which waits for its answer.

    `pid` is as this process sees it, 0 for one of another pid namespace.
    """

    connection: socket.socket
    pid: int
    verb: str
    argument: str
    file: int | None = None

    def answer(self, content: bytes) -> bool:
        """Send the answer and close; False if the client no longer waits."""
        try:
            return self.connection.send(content, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL) > 0
        except OSError:
            return False
        finally:
            self.close()

    def is_waiting(self) -> bool:
        """Return whether the client still waits: it neither closed nor sent anything more."""
        return not _list_ready([self.connection])

    def read_file(self, limit: int) -> bytes:
        """Read the file that came with it. Raises SeclatchError, OSError.

        It must be sealed memory: reading anything else could block, or change under us.
        """
        if self.file is None:
            raise SeclatchError("reading a request: it has no configuration")
        try:
            seals = fcntl.fcntl(self.file, fcntl.F_GET_SEALS)
        except OSError as error:
            raise SeclatchError("reading a request: its file is not memory") from error
        if seals & _SEALS != _SEALS:
            raise SeclatchError("reading a request: its file is not sealed")
        return os.pread(self.file, limit, 0)

    def close(self) -> None:
        """Close the connection and the file."""
        self.connection.close()
        if self.file is not None:
            os.close(self.file)
            self.file = None


@dataclass(eq=False)
class RecorderSocket:
    """The listening socket and the clients that have not sent their message yet."""

    path: Path
    _listener: socket.socket = field(init=False)
    _identity: tuple[int, int] = (0, 0)
    _silent: dict[socket.socket, float] = field(default_factory=dict)

    def open(self) -> None:
        """Listen, in place of a socket that an earlier recorder left. Raises SeclatchError."""
        try:
            self.path.parent.mkdir(mode=0o700, exist_ok=True)
            self._require_private()
            self._listener = socket.socket(
                socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK
            )
            aside = self.path.with_name(f".{self.path.name}.{os.getpid()}")
            with contextlib.suppress(FileNotFoundError):
                aside.unlink()
            self._listener.bind(str(aside))
            aside.chmod(0o600)
            self._listener.listen(_BACKLOG)
            status = aside.lstat()
            self._identity = status.st_dev, status.st_ino
            aside.replace(self.path)  # from here on the latch finds this recorder
        except OSError as error:
            raise SeclatchError(f"listening on {self.path}: {error.strerror or error}") from error

    def require_present(self) -> None:
        """Raise SeclatchError if the path is not this socket's any more.

        Someone removed it, or in a container the directory that is mounted there was replaced on
        the host; whoever has started this process can start another one.
        """
        try:
            status = self.path.lstat()
        except OSError as error:
            raise SeclatchError(f"listening on {self.path}: {error.strerror}") from error
        if (status.st_dev, status.st_ino) != self._identity:
            raise SeclatchError(f"listening on {self.path}: another one was put there")

    def _require_private(self) -> None:
        status = self.path.parent.stat(follow_symlinks=False)
        if status.st_uid != os.geteuid() or status.st_mode & 0o022:
            raise SeclatchError(
                f"listening on {self.path}: others than root can write to {self.path.parent}",
                remedy=f"chown root:root {self.path.parent} && chmod 700 {self.path.parent}",
            )
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISSOCK(self.path.lstat().st_mode):
                raise SeclatchError(f"listening on {self.path}: it is there, and not a socket")

    def list_descriptors(self) -> list[int]:
        """List the descriptors that become readable when there is something to do."""
        listener = [self._listener.fileno()] if len(self._silent) < _MAX_CLIENTS else []
        return [*listener, *(client.fileno() for client in self._silent)]

    def take_requests(self) -> Iterator[RecorderRequest]:
        """Accept waiting clients, and yield the messages that have come. Never blocks."""
        self._accept()
        now = time.monotonic()
        ready = _list_ready(list(self._silent))
        for client, deadline in list(self._silent.items()):
            if client in ready:
                del self._silent[client]
                if request := _receive(client):
                    yield request
            elif now > deadline:
                del self._silent[client]
                client.close()

    def _accept(self) -> None:
        while len(self._silent) < _MAX_CLIENTS:
            try:
                client, _ = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
                    return  # it stays in the queue
                continue  # that client has gone
            client.setblocking(False)
            self._silent[client] = time.monotonic() + _PATIENCE

    def close(self) -> None:
        """Stop listening; the path goes, if it is still this socket's."""
        for client in self._silent:
            client.close()
        self._silent.clear()
        with contextlib.suppress(OSError):
            self._listener.close()


def _list_ready(connections: list[socket.socket]) -> set[socket.socket]:
    """Return those that can be read; select(2) takes no descriptor above 1023."""
    by_number = {connection.fileno(): connection for connection in connections}
    poll = select.poll()
    for number in by_number:
        poll.register(number, select.POLLIN)
    return {by_number[number] for number, _ in poll.poll(0)} if by_number else set()


def _receive(client: socket.socket) -> RecorderRequest | None:
    """Read a client's message; None, and the connection is closed, if it is not one of root's."""
    files = array.array("i")
    try:
        pid, uid = read_peer(client)
        content, ancillary, flags, _ = client.recvmsg(
            MAX_MESSAGE, socket.CMSG_SPACE(4 * files.itemsize), socket.MSG_CMSG_CLOEXEC
        )
    except OSError:
        client.close()
        return None
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            files.frombytes(data[: len(data) - len(data) % files.itemsize])
    verb, _, argument = content.partition(b"\0")
    cut = flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC)
    if not content or cut or len(files) > 1 or uid != os.geteuid():
        for file in files:
            os.close(file)
        client.close()
        return None
    return RecorderRequest(
        client,
        pid,
        verb.decode("ascii", "replace"),
        argument.decode("utf-8", "surrogateescape"),
        files[0] if files else None,
    )
