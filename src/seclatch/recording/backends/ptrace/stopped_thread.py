"""Read the state of a stopped thread from /proc, as the kernel programs read it from the task."""

from __future__ import annotations

import contextlib
import os
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from seclatch.recording.backends.bpf.abi import Event
from seclatch.recording.trace.trace import TaskFacts
from seclatch.system import procfs

_NAMESPACES = {
    "mounts": "mnt",
    "pids": "pid",
    "users": "user",
    "net": "net",
    "ipc": "ipc",
    "uts": "uts",
    "cgroup": "cgroup",
}
_CAPABILITIES = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")


def read_facts(tid: int, before: TaskFacts) -> TaskFacts:
    """Read a thread's state; what may not be read (set-user-id program) stays as in `before`."""
    folder = Path(f"/proc/{tid}")
    facts = before
    with contextlib.suppress(OSError, ValueError, LookupError):
        facts = replace(facts, **_parse_status(tid))
    namespaces: dict[str, Any] = {}
    for field, name in _NAMESPACES.items():
        with contextlib.suppress(OSError):
            namespaces[field] = (folder / "ns" / name).stat().st_ino
    facts = replace(facts, **namespaces)
    with contextlib.suppress(OSError):
        root = (folder / "root").stat()
        facts = replace(facts, root=zlib.crc32(f"{root.st_dev} {root.st_ino}".encode()))
    return facts


def _parse_status(tid: int) -> dict[str, Any]:
    data = procfs.read_status_file(tid)

    def line(name: str) -> list[bytes]:
        found = procfs.find_status_line(data, name.encode())
        if found is None:
            raise LookupError(name)
        return found.split()

    uids, gids = line("Uid"), line("Gid")
    return {
        "comm": b" ".join(line("Name")).decode("utf-8", "backslashreplace"),
        "uid": int(uids[0]),
        "euid": int(uids[1]),
        "gid": int(gids[0]),
        "egid": int(gids[1]),
        "local_pid": int(line("NSpid")[-1]),
        "capabilities": tuple(int(line(name)[0], 16) for name in _CAPABILITIES),
        "no_new_privs": line("NoNewPrivs") == [b"1"],
        "seccomp": int(line("Seccomp")[0]),
    }


def read_thread_group(tid: int) -> int:
    """Return the process of a thread. Raises OSError, LookupError when it is gone."""
    if (found := _status_number(tid, b"Tgid")) is None:
        raise LookupError(tid)
    return found


def read_tracer(tid: int) -> int:
    """Return the tracer of a thread; 0 if it has none."""
    with contextlib.suppress(OSError):
        return _status_number(tid, b"TracerPid") or 0
    return 0


def count_filters(thread: int | str = "self") -> int:
    """Return how many filters bind a thread or this process; 0 before Linux 5.9 (no count)."""
    with contextlib.suppress(OSError):
        return _status_number(thread, b"Seccomp_filters") or 0
    return 0


def _status_number(thread: int | str, name: bytes) -> int | None:
    found = procfs.read_status_line(thread, name)
    return None if found is None else int(found)


def read_recorded_argv(tid: int) -> tuple[tuple[str, ...], bool]:
    """Read argv as far as a recording keeps it, and whether it was cut."""
    with contextlib.suppress(OSError):
        return procfs.read_argv(tid, Event.ARGS_MAX)
    return (), True


def read_memory(tid: int, address: int, size: int) -> bytes:
    """Read a tracee's memory: fewer bytes where a mapping ends, none where there is no mapping."""
    with contextlib.suppress(OSError, OverflowError):
        fd = os.open(f"/proc/{tid}/mem", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.pread(fd, size, address)
        finally:
            os.close(fd)
    return b""


def read_string(tid: int, address: int) -> str:
    """Read a path in a tracee's memory, as much of it as a recording keeps."""
    page = os.sysconf("SC_PAGE_SIZE")
    content = read_memory(tid, address, min(Event.FILE_SIZE - 1, page - address % page))
    if b"\0" not in content and len(content) < Event.FILE_SIZE - 1:
        content += read_memory(tid, address + len(content), Event.FILE_SIZE - 1 - len(content))
    return content.split(b"\0", 1)[0].decode("utf-8", "backslashreplace")


def is_in_call(tid: int) -> bool:
    """Return whether a thread sleeps in a system call; one that runs in a call does not."""
    return procfs.read_current_call(tid) not in (None, -1)
