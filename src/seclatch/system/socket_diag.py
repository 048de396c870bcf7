"""Unix sockets and their peers: sock_diag(7), which needs no privilege."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import struct
import sys
from collections.abc import Iterator
from threading import Thread

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_REQUEST_DUMP = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
_ERROR, _DONE = 2, 3
_SHOW_PEER = 4  # UDIAG_SHOW_PEER
_PEER = 2  # UNIX_DIAG_PEER
_CLONE_NEWNET = 0x40000000
_SECONDS = 1.0

_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr
_QUESTION = struct.Struct("=BBHIIIII")  # struct unix_diag_req
_ANSWER = struct.Struct("=BBBBIII")  # struct unix_diag_msg
_ATTRIBUTE = struct.Struct("=HH")  # struct nlattr


def read_peers(pid: int) -> dict[int, int]:
    """Map each connected Unix socket of a process's network namespace to its peer, by inode.

    Sockets that cannot be read are left out.
    """
    found: dict[int, int] = {}
    # A thread, for the namespace is entered.
    reader = Thread(target=_read, args=(pid, found), daemon=True)
    with contextlib.suppress(RuntimeError):  # a limit on processes, of which threads are
        reader.start()
        reader.join(2 * _SECONDS)
    return dict(found)


def read_sockets(pid: int) -> set[int]:
    """Return the inodes of a process's sockets, as far as they may be read."""
    found: set[int] = set()
    with contextlib.suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):  # noqa: PTH208 (there may be thousands)
            with contextlib.suppress(OSError):  # closed meanwhile
                kind, _, inode = os.readlink(f"/proc/{pid}/fd/{name}").partition(":[")  # noqa: PTH115
                if kind == "socket":
                    found.add(int(inode.removesuffix("]")))
    return found


def _read(pid: int, found: dict[int, int]) -> None:
    with contextlib.suppress(OSError):
        _enter_network(pid)
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
        with socket.socket(socket.AF_NETLINK, kind, _NETLINK_SOCK_DIAG) as question:
            question.settimeout(_SECONDS)
            body = _QUESTION.pack(socket.AF_UNIX, 0, 0, 0xFFFFFFFF, 0, _SHOW_PEER, 0, 0)
            size = _HEADER.size + len(body)
            question.send(_HEADER.pack(size, _SOCK_DIAG_BY_FAMILY, _REQUEST_DUMP, 1, 0) + body)
            while content := question.recv(1 << 16):
                for kind, answer in _split(content):
                    if kind in (_ERROR, _DONE):
                        return
                    found.update(_peer(answer))


def _enter_network(pid: int) -> None:
    """Enter the process's network namespace, if it is another one. Raises OSError."""
    path = f"/proc/{pid}/ns/net"
    if os.stat(path).st_ino == os.stat("/proc/self/ns/net").st_ino:  # noqa: PTH116 (magic links)
        return
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(fd, _CLONE_NEWNET):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(fd)


def _split(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the type and body of each netlink message."""
    while len(content) >= _HEADER.size:
        size, kind, *_ = _HEADER.unpack_from(content)
        if size < _HEADER.size:
            return
        yield kind, content[_HEADER.size : size]
        content = content[(size + 3) & ~3 :]


def _peer(answer: bytes) -> Iterator[tuple[int, int]]:
    """Yield a socket and its peer, if it has one."""
    inode = _ANSWER.unpack_from(answer)[4]
    rest = answer[_ANSWER.size :]
    while len(rest) >= _ATTRIBUTE.size:
        size, kind = _ATTRIBUTE.unpack_from(rest)
        if size < _ATTRIBUTE.size:
            return
        if kind == _PEER:
            yield inode, int.from_bytes(rest[4:8], sys.byteorder)
        rest = rest[(size + 3) & ~3 :]
