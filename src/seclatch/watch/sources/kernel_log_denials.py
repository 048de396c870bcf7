"""Denials from the kernel's log (/dev/kmsg): the audit lines that no audit daemon takes.

kauditd prints lines there while no process is registered as audit daemon, rate-limited by
kernel.printk_ratelimit. Any user may read them where kernel.dmesg_restrict is 0 (syslog(2)).
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path

from seclatch.errors import SeclatchError
from seclatch.model.seen_denial import SeenAnswer, SeenDenial
from seclatch.system import procfs
from seclatch.watch.sources.audit_denials import EVERY_ANSWER, parse_line, require_host_pids

_DEVICE = "/dev/kmsg"
_DOING = "reading audit lines from the kernel's log"
_SIZE = 8192  # PRINTK_MESSAGE_MAX is 2048; a shorter read than the record fails (EINVAL)
_RECORD = re.compile(r"(\d+),\d+,\d+,[^;]*;([^\n]*)")
_SECCOMP = "audit: type=1326 "
_SUPPRESSED = re.compile(r"kauditd_printk_skb: (\d+) callbacks suppressed")


class KernelLogDenials:
    """The kernel's log from now on; `wanted`: answers that are taken."""

    def __init__(self, wanted: Collection[SeenAnswer] = EVERY_ANSWER) -> None:
        """Raise SeclatchError where the log cannot be read, or has no audit lines."""
        self._wanted = wanted
        self._lost = 0
        require_host_pids(_DOING)
        _refuse_audit_daemon()
        try:
            self._fd = os.open(_DEVICE, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            os.lseek(self._fd, 0, os.SEEK_END)
        except OSError as error:
            raise SeclatchError(
                f"{_DOING}: {_DEVICE}: {error.strerror}",
                remedy="where kernel.dmesg_restrict is 0 every user may read it",
            ) from error

    def fileno(self) -> int:
        """Return the descriptor that is readable when the kernel has logged something."""
        return self._fd

    def take(self) -> Iterator[SeenDenial]:
        """Take the lines that have arrived."""
        while True:
            try:
                record = os.read(self._fd, _SIZE)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.EPIPE:  # overwritten before it was read
                    raise
                self._lost += 1
                continue
            denial = self._read(record.decode("utf-8", "backslashreplace"))
            if denial is not None and denial.answer in self._wanted:
                yield denial

    def _read(self, record: str) -> SeenDenial | None:
        """Read a record of facility 0, the kernel's own: what is written to the device has 1."""
        match = _RECORD.match(record)
        if match is None or int(match[1]) >> 3:
            return None
        if suppressed := _SUPPRESSED.fullmatch(match[2]):
            self._lost += int(suppressed[1])
        text = match[2]
        return parse_line(text.removeprefix(_SECCOMP)) if text.startswith(_SECCOMP) else None

    def take_lost(self) -> int:
        """Return how many lines were lost since the last time, as far as the kernel counts them."""
        lost, self._lost = self._lost, 0
        return lost

    def close(self) -> None:
        """Close the device."""
        os.close(self._fd)


def _refuse_audit_daemon() -> None:
    """Refuse where auditd(8) runs: it takes the lines, and the log gets none."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and _is_audit_daemon(int(folder.name)):
            raise SeclatchError(f"{_DOING}: auditd (process {folder.name}) takes them")


def _is_audit_daemon(pid: int) -> bool:
    """Return whether it is root's, and not of a container: only the host's may be registered."""
    try:
        data = procfs.read_status_file(pid)
    except OSError:
        return False
    status = procfs.parse_status(data)
    numbers = procfs.find_status_line(data, b"NSpid") or b""
    return status.comm == "auditd" and status.uid == 0 and len(numbers.split()) < 2
