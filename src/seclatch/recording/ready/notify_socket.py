"""The program says that it is ready: READY=1 on the socket of sd_notify(3)."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import tempfile
from pathlib import Path

from seclatch.recording.ready.ready_condition import ReadyCondition, ReadyView, RecordedView

_VARIABLE = "NOTIFY_SOCKET"
_MAX_MESSAGE = 1 << 16
_MOST = 256
"""Messages that are read before other work is done: any user may send them."""

_CREDENTIALS = struct.Struct("=iII")  # pid, uid, gid


class NotifySocket(ReadyCondition):
    """The command gets a NOTIFY_SOCKET of the recorder's; what it sends is not passed on.

    The program may run as any user, so every process can write to the socket; the kernel says which
    one did (SCM_CREDENTIALS, unix(7)), and only recorded ones are believed. `podman run
    --sdnotify=container` passes the socket on to the container; Docker passes none.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._socket: socket.socket | None = None
        self._senders: set[int] = set()

    def begin(self, *, client: bool) -> None:
        """Open the socket."""
        self._folder = tempfile.TemporaryDirectory(prefix="seclatch-notify-")
        self._socket = socket.socket(
            socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        )
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._socket.bind(self._path(self._folder))
        Path(self._path(self._folder)).chmod(0o666)
        Path(self._folder.name).chmod(0o711)

    def _path(self, folder: tempfile.TemporaryDirectory[str]) -> str:
        return f"{folder.name}/notify"

    def enter_child(self) -> None:
        """Name the socket to the command."""
        if self._folder is not None:
            os.environ[_VARIABLE] = self._path(self._folder)

    def is_met(self, view: ReadyView) -> bool:
        """Read what has been sent; the sender's fork may be reported later than its message."""
        if self._socket is not None:
            with contextlib.suppress(BlockingIOError):
                for _ in range(_MOST):
                    self._receive(self._socket)
        return isinstance(view, RecordedView) and any(
            process.pid in self._senders for process in view.trace.processes.values()
        )

    def _receive(self, notify: socket.socket) -> None:
        message, extras, _, _ = notify.recvmsg(_MAX_MESSAGE, socket.CMSG_SPACE(_CREDENTIALS.size))
        for level, kind, content in extras:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
                sender, _, _ = _CREDENTIALS.unpack_from(content)
                if b"READY=1" in message.split(b"\n"):
                    self._senders.add(sender)

    def close(self) -> None:
        """Remove the socket."""
        if self._socket is not None:
            self._socket.close()
        if self._folder is not None:
            self._folder.cleanup()
