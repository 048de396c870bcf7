"""Denials from the kernel's audit lines (type 1326, AUDIT_SECCOMP), by netlink.

The kernel logs LOG and KILL, and the other answers of filters that were loaded with
SECCOMP_FILTER_FLAG_LOG, as far as kernel.seccomp.actions_logged has them (seccomp(2)). A line has
no arguments, and names process and call only.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import struct
from collections.abc import Collection, Iterator

from seclatch.errors import SeclatchError
from seclatch.model.action import Action, ActionKind
from seclatch.model.arch import Arch
from seclatch.model.seen_denial import CallDetails, SeenAnswer, SeenDenial, SeenProcess

_NETLINK_AUDIT = 9
_READLOG = 1  # AUDIT_NLGRP_READLOG: a multicast group, beside auditd (Linux 3.16)
_SECCOMP = 1326
_HEADER = struct.Struct("=IHHII")
_SIZE = 1 << 16
_RECEIVE_BUFFER = 4 << 20
_INITIAL_PIDS = 0xEFFFFFFC  # PROC_PID_INIT_INO, <linux/proc_ns.h>
_LINE = re.compile(
    r"audit\((\d{1,12})\.(\d{3}):\d+\): auid=\d+ uid=(\d+) gid=\d+ ses=\d+ (?:subj=.*? )?pid=(\d+)"
    r' comm=("[^"]*"|[0-9A-F]*|\(null\))(?: exe=("[^"]*"|[0-9A-F]*|\(null\)))? sig=\d+'
    r" arch=([0-9a-f]{1,8}) syscall=(-?\d+) compat=[01] ip=0x[0-9a-f]+ code=0x([0-9a-f]{1,8})"
)
_ANSWERS = {
    ActionKind.KILL_PROCESS: SeenAnswer.KILL_PROCESS,
    ActionKind.KILL_THREAD: SeenAnswer.KILL_THREAD,
    ActionKind.TRAP: SeenAnswer.TRAP,
    ActionKind.ERRNO: SeenAnswer.ERRNO,
    ActionKind.TRACE: SeenAnswer.TRACE,
    ActionKind.NOTIFY: SeenAnswer.NOTIFY,
    ActionKind.LOG: SeenAnswer.LOG,
}
EVERY_ANSWER = frozenset(_ANSWERS.values())
# x32 has the architecture of x86-64, and a mark in its numbers.
_ARCHES: dict[int, Arch] = {arch.audit: arch for arch in Arch if arch is not Arch.X32}


class AuditDenials:
    """The receiving end of the audit log; `wanted`: answers that are taken."""

    def __init__(self, wanted: Collection[SeenAnswer] = EVERY_ANSWER) -> None:
        """Raise SeclatchError where audit lines cannot be read."""
        self._wanted = wanted
        self._lost = 0
        self._socket = _open_socket()

    def fileno(self) -> int:
        """Return the descriptor that is readable when a line was sent."""
        return self._socket.fileno()

    def take(self) -> Iterator[SeenDenial]:
        """Take the lines that have arrived."""
        while True:
            try:
                message = self._socket.recv(_SIZE)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                self._lost += 1
                continue
            if len(message) < _HEADER.size or _HEADER.unpack_from(message)[1] != _SECCOMP:
                continue
            denial = parse_line(message[_HEADER.size :].decode("utf-8", "backslashreplace"))
            if denial is not None and denial.answer in self._wanted:
                yield denial

    def take_lost(self) -> int:
        """Return how often since the last time lines were lost: at least one each time."""
        lost, self._lost = self._lost, 0
        return lost

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def parse_line(text: str) -> SeenDenial | None:
    """Parse the text of a line; None for one of another form.

    The kernel quotes names, or writes those with special characters in hexadecimal: no name forges
    a field.
    """
    match = _LINE.match(text)
    if match is None:
        return None
    seconds, thousandths, uid, pid, comm, exe, machine, number, code = match.groups()
    call = int(number) & 0xFFFFFFFF
    arch = _find_arch(int(machine, 16), call)
    if arch is None:
        return None
    moment = int(seconds) * 1_000_000_000 + int(thousandths) * 1_000_000
    answer = _ANSWERS.get(Action.from_ret(int(code, 16)).kind, SeenAnswer.KILL_PROCESS)
    details = CallDetails(
        int(pid),
        int(uid),
        _decode(comm),
        os.path.basename(_decode(exe or "")),  # noqa: PTH119
    )
    return SeenDenial(
        process=SeenProcess(int(pid)),
        arch=arch,
        number=call,
        answer=answer,
        error=0,
        count=1,
        first=moment,
        last=moment,
        source="audit",
        details=details,
    )


def _find_arch(audit: int, call: int) -> Arch | None:
    found = _ARCHES.get(audit)
    is_x32 = found is Arch.X86_64 and call & Arch.X32.offset and call < 1 << 31
    return Arch.X32 if is_x32 else found


def _decode(field: str) -> str:
    """Decode a field of an untrusted string (audit_log_untrustedstring)."""
    if field.startswith('"'):
        return field[1:-1]
    if not field or field == "(null)" or len(field) % 2:
        return ""
    return bytes.fromhex(field).decode("utf-8", "backslashreplace")


def require_host_pids(doing: str) -> None:
    """Raise SeclatchError in another pid namespace than the host's."""
    if os.stat("/proc/self/ns/pid").st_ino != _INITIAL_PIDS:  # noqa: PTH116 (a magic link)
        raise SeclatchError(
            f"{doing}: they name processes by their numbers on the host, and this is another pid "
            "namespace",
            remedy="run it on the host",
        )


def _open_socket() -> socket.socket:
    doing = "reading audit lines"
    require_host_pids(doing)
    try:
        made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_AUDIT)
    except OSError as error:
        raise SeclatchError(
            f"{doing}: socket(AF_NETLINK, NETLINK_AUDIT): {error.strerror}",
            remedy="it takes a kernel with CONFIG_AUDIT=y",
        ) from error
    try:
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        made.bind((0, _READLOG))
    except OSError as error:
        made.close()
        raise SeclatchError(
            f"{doing}: bind to the audit log's multicast group: {error.strerror}",
            remedy="it takes CAP_AUDIT_READ: run it as root on the host",
        ) from error
    return made
