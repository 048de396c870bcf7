"""Listening sockets of processes, from /proc (proc(5), /proc/PID/net of its network namespace)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

_TABLE = 1 << 24
_TCP_LISTEN = "0A"
_UNIX_LISTENING = 0x10000  # SO_ACCEPTCON, __SO_ACCEPTCON in Flags of /proc/net/unix


@dataclass(frozen=True, slots=True)
class ListeningSocket:
    """A socket after listen(2): its inode number, and the port of a TCP socket or 0."""

    inode: int
    port: int = 0

    @property
    def link(self) -> str:
        """Return what /proc/PID/fd/N links to."""
        return f"socket:[{self.inode}]"


def list_listening(pid: int) -> list[ListeningSocket]:
    """List the TCP and Unix sockets that listen in a process's network namespace."""
    return [*_read_listening(pid)]


def _read_listening(pid: int) -> Iterator[ListeningSocket]:
    for name in ("tcp", "tcp6"):
        for line in _read_table(pid, name):
            words = line.split()
            if len(words) > 9 and words[3] == _TCP_LISTEN and words[9].isdigit():
                yield ListeningSocket(int(words[9]), int(words[1].rpartition(":")[2], 16))
    for line in _read_table(pid, "unix"):
        words = line.split()
        if len(words) > 6 and int(words[3], 16) & _UNIX_LISTENING and words[6].isdigit():
            yield ListeningSocket(int(words[6]))


def _read_table(pid: int, name: str) -> list[str]:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/net/{name}", "rb") as file:  # noqa: PTH123
        return file.read(_TABLE).decode("ascii", "replace").splitlines()[1:]
    return []
