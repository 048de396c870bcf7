"""/proc as it is read here: bounded, and a process that ends meanwhile is simply not there."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

_STATUS = 1 << 13
_CGROUP = 1 << 14
_COMMAND = 1 << 14


@dataclass(frozen=True, slots=True)
class ProcStatus:
    """The lines of /proc/PID/status that tell about seccomp. `filters` is -1 before Linux 5.9."""

    comm: str
    state: str
    parent: int
    uid: int
    threads: int
    no_new_privs: bool
    mode: int
    filters: int
    capabilities: int
    has_memory: bool


@dataclass(frozen=True, slots=True)
class ProcEntry:
    """One process as /proc tells it; `executable` is the base name of its program, "" if hidden."""

    pid: int
    status: ProcStatus
    argv: tuple[str, ...] = ()
    executable: str = ""
    cgroups: tuple[str, ...] = ()
    threads: dict[int, ProcStatus] = field(default_factory=dict)


def list_pids() -> list[int]:
    """All processes that this mount of /proc shows."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208


def list_threads(pid: int) -> list[int]:
    """The threads of a process; none when it has ended."""
    try:
        return [int(name) for name in os.listdir(f"/proc/{pid}/task")]  # noqa: PTH208
    except OSError:
        return []


def read_status(pid: int, tid: int | None = None) -> ProcStatus | None:
    """Read a status; None when there is no such process any more."""
    path = f"/proc/{pid}/status" if tid is None else f"/proc/{pid}/task/{tid}/status"
    data = read_file(path, _STATUS)
    return parse_status(data) if data else None


def parse_status(data: bytes) -> ProcStatus:
    """Interpret a status file. The kernel escapes newlines in the name: no name forges a line."""

    def line(name: bytes, default: bytes = b"0") -> bytes:
        begin = data.find(b"\n" + name + b":\t")
        if begin < 0:
            return default
        begin += len(name) + 3
        return data[begin : data.find(b"\n", begin)]

    name = data[6 : data.find(b"\n")]  # the first line: `Name:` and a tab
    state = line(b"State", b"?")[:1].decode("ascii", "replace")
    return ProcStatus(
        comm=name.decode("utf-8", "backslashreplace"),
        state=state,
        parent=int(line(b"PPid")),
        uid=int(line(b"Uid").split()[1]) if b"\nUid:\t" in data else -1,
        threads=int(line(b"Threads")),
        no_new_privs=line(b"NoNewPrivs") == b"1",
        mode=int(line(b"Seccomp")),
        filters=int(line(b"Seccomp_filters", b"-1")),
        capabilities=int(line(b"CapBnd"), 16),
        has_memory=b"\nVmSize:" in data or state in "ZX",
    )


def read_argv(pid: int, state: str) -> tuple[str, ...]:
    """The beginning of the command line.

    Reading it takes the memory's lock: one who waits uninterruptibly may hold that for ever.
    """
    if state in "DZX":
        return ()
    data = read_file(f"/proc/{pid}/cmdline", _COMMAND)
    words = data.rstrip(b"\0").split(b"\0") if data else []
    return tuple(word.decode("utf-8", "backslashreplace") for word in words)


def read_executable(pid: int) -> str:
    """Base name of the program's file, "" if we may not know or there is none."""
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe"))  # noqa: PTH115, PTH119
    except OSError:
        return ""


def read_cgroups(pid: int) -> tuple[str, ...]:
    """The process's paths below the roots of all hierarchies, each once."""
    data = read_file(f"/proc/{pid}/cgroup", _CGROUP)
    paths: dict[str, None] = {}
    for line in data.decode("utf-8", "backslashreplace").split("\n"):
        path = line.partition(":")[2].partition(":")[2]
        if path and path != "/":
            paths[path] = None
    return tuple(paths)


def read_file(path: str, limit: int) -> bytes:
    """At most `limit` bytes of a file; none if it cannot be read. A FIFO is not waited for."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError:
        return b""
    try:
        return os.read(fd, limit)
    except OSError:
        return b""
    finally:
        os.close(fd)


def read_start(pid: int) -> int:
    """When a process began, in clock ticks since boot; later than all if it has ended."""
    fields = read_file(f"/proc/{pid}/stat", _STATUS).rpartition(b") ")[2].split()
    return int(fields[19]) if len(fields) > 19 else 1 << 63
