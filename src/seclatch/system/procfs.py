"""Read /proc/PID: status, argv, executable, control groups (proc(5)).

Reads are bounded. A process that ends meanwhile is reported as absent where a function says so;
the others raise OSError.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field

_STATUS = 1 << 13
_WHOLE_STATUS = 1 << 20  # of a process with 65536 groups: some 700 KiB
_CGROUP = 1 << 14
_COMMAND = 1 << 14
_LINE = 1 << 8
_PF_EXITING = 0x4  # include/linux/sched.h
ENDED = 1 << 63
"""The start time of a process that has ended."""


@dataclass(frozen=True, slots=True)
class ProcStatus:
    """The lines of /proc/PID/status that concern seccomp. `filters` is -1 before Linux 5.9.

    `capabilities`: the bounding set.
    """

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
    tracer: int = 0
    effective: int = 0


@dataclass(frozen=True, slots=True)
class ProcEntry:
    """One process in /proc. `executable` is the base name of its program, "" if hidden.

    `mounts` is the inode number of its mount namespace, 0 if hidden.
    """

    pid: int
    status: ProcStatus
    argv: tuple[str, ...] = ()
    executable: str = ""
    cgroups: tuple[str, ...] = ()
    threads: dict[int, ProcStatus] = field(default_factory=dict)
    mounts: int = 0


def read_mount_namespace(pid: int) -> int:
    """Return the inode number of a process's mount namespace, 0 if it has ended or is hidden."""
    try:
        return os.stat(f"/proc/{pid}/ns/mnt").st_ino  # noqa: PTH116 (through a magic link)
    except OSError:
        return 0


def read_entry(pid: int) -> ProcEntry | None:
    """Read a process; None for a kernel thread, or one that has ended."""
    status = read_status(pid)
    if status is None or not status.has_memory:
        return None
    return ProcEntry(
        pid,
        status,
        read_command_line(pid, status.state),
        read_executable(pid),
        read_cgroups(pid),
        mounts=read_mount_namespace(pid),
    )


def list_pids() -> list[int]:
    """List all processes that this mount of /proc shows."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208


def list_threads(pid: int) -> list[int]:
    """List the threads of a process; none when it has ended."""
    try:
        return [int(name) for name in os.listdir(f"/proc/{pid}/task")]  # noqa: PTH208
    except OSError:
        return []


def list_links(pid: int) -> set[str]:
    """List what the open files of a process are; empty when it has ended or may not be read."""
    return set(_read_links(pid))


def _read_links(pid: int) -> Iterator[str]:
    with contextlib.suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):  # noqa: PTH208
            with contextlib.suppress(OSError):
                yield os.readlink(f"/proc/{pid}/fd/{name}")  # noqa: PTH115


def read_status(pid: int, tid: int | None = None) -> ProcStatus | None:
    """Read the status of a process or thread; None when there is none any more."""
    path = f"/proc/{pid}/status" if tid is None else f"/proc/{pid}/task/{tid}/status"
    data = read_file(path, _STATUS)
    return parse_status(data) if data else None


def read_status_file(thread: int | str) -> bytes:
    """Read the whole status of a thread (its id, or `self`). Raises OSError."""
    with open(f"/proc/{thread}/status", "rb") as file:  # noqa: PTH123
        return file.read(_WHOLE_STATUS)


def read_status_line(thread: int | str, name: bytes) -> bytes | None:
    """Read one line of a thread's status; None where the kernel has none. Raises OSError."""
    return find_status_line(read_status_file(thread), name)


def find_status_line(data: bytes, name: bytes) -> bytes | None:
    """Find the value of a line in a status file; None if there is no such line."""
    if data.startswith(name + b":\t"):
        begin = 0
    elif (begin := data.find(b"\n" + name + b":\t") + 1) == 0:
        return None
    return data[begin + len(name) + 2 : data.find(b"\n", begin)]


def parse_status(data: bytes) -> ProcStatus:
    """Parse a status file. The kernel escapes newlines in the name: no name forges a line."""

    def line(name: bytes, default: bytes = b"0") -> bytes:
        found = find_status_line(data, name)
        return default if found is None else found

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
        tracer=int(line(b"TracerPid")),
        effective=int(line(b"CapEff"), 16),
    )


def read_command_line(pid: int, state: str) -> tuple[str, ...]:
    """Read the beginning of the command line, without empty arguments at its end.

    Reading it takes mmap_lock, which a process in uninterruptible sleep (state D) may hold for
    ever: such a process's command line is not read.
    """
    if state in "DZX":
        return ()
    return split_argv(read_file(f"/proc/{pid}/cmdline", _COMMAND).rstrip(b"\0"))


def read_argv(pid: int, limit: int | None = None) -> tuple[tuple[str, ...], bool]:
    """Read argv, and whether it was cut after `limit` bytes. Raises OSError."""
    with open(f"/proc/{pid}/cmdline", "rb") as file:  # noqa: PTH123
        content = file.read() if limit is None else file.read(limit + 1)
    return split_argv(content[:limit]), limit is not None and len(content) > limit


def split_argv(content: bytes, errors: str = "backslashreplace") -> tuple[str, ...]:
    """Split the content of /proc/PID/cmdline into arguments."""
    words = content.removesuffix(b"\0").split(b"\0") if content else []
    return tuple(word.decode("utf-8", errors) for word in words)


def read_executable(pid: int) -> str:
    """Return the base name of the program's file; "" if it is hidden or there is none."""
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe"))  # noqa: PTH115, PTH119
    except OSError:
        return ""


def read_cgroups(pid: int) -> tuple[str, ...]:
    """Return the paths of a process's control groups in all hierarchies, each once."""
    data = read_file(f"/proc/{pid}/cgroup", _CGROUP)
    paths: dict[str, None] = {}
    for line in data.decode("utf-8", "backslashreplace").split("\n"):
        path = line.partition(":")[2].partition(":")[2]
        if path and path != "/":
            paths[path] = None
    return tuple(paths)


def read_file(path: str, limit: int) -> bytes:
    """Read at most `limit` bytes of a file; none if it cannot be read. A FIFO does not block.

    A read of cgroup.procs and its like returns about a page, however much there is (seq_file).
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError:
        return b""
    content = b""
    with contextlib.suppress(OSError):
        while len(content) < limit and (part := os.read(fd, limit - len(content))):
            content += part
    os.close(fd)
    return content


def read_start(pid: int) -> int:
    """Return the start time of a process in clock ticks since boot; 2^63 if it has ended."""
    fields = _read_stat_fields(f"/proc/{pid}/stat")
    return int(fields[19]) if len(fields) > 19 else ENDED


def is_exiting(pid: int, tid: int) -> bool:
    """Return whether a thread issues no more calls: it has ended, or gives back what it has.

    It may take long over its memory, in state R, and has no filters any more (Linux 6.11).
    """
    fields = _read_stat_fields(f"/proc/{pid}/task/{tid}/stat")
    return len(fields) <= 6 or bool(int(fields[6]) & _PF_EXITING)


def _read_stat_fields(path: str) -> list[bytes]:
    """Return the fields of a stat file (proc_pid_stat(5)) from the third, the state, on."""
    return read_file(path, _STATUS).rpartition(b") ")[2].split()


def read_current_call(tid: int) -> int | None:
    """Return the number of the system call in which a thread sleeps or is stopped.

    -1: it is blocked outside of a call. None: it runs, or it may not be read.
    """
    with contextlib.suppress(ValueError):
        return int(read_file(f"/proc/{tid}/syscall", _LINE).partition(b" ")[0])
    return None
