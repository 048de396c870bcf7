"""The recorder as a service: signals that stop it, and messages to systemd (sd_notify(3))."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Callable


def watch_signals(stop: Callable[..., None]) -> socket.socket:
    """Have a signal to stop wake the loop; return the socket that becomes readable."""
    reading, writing = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    reading.setblocking(False)
    writing.setblocking(False)
    signal.set_wakeup_fd(writing.detach(), warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)
    return reading


def notify_service(state: str) -> None:
    """Tell systemd (sd_notify(3)) where it has started this process."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path:
        return
    address = f"\0{path[1:]}" if path[0] == "@" else path
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(state.encode(), address)
