"""Read from /proc what matters before a process is bound: rings, listening sockets, its ABI."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from seclatch.model.arch import Arch
from seclatch.model.syscall import Syscall, load_syscalls
from seclatch.system.listening_sockets import list_listening
from seclatch.system.procfs import list_links, list_threads, read_file, read_status

_RING = "anon_inode:[io_uring]"
_MAX_THREADS = 4096


@dataclass(frozen=True, slots=True)
class ProcessFacts:
    """One process. `calls`: the system calls that its threads are in."""

    pid: int
    comm: str
    arch: Arch
    has_ring: bool = False
    listens: bool = False
    calls: tuple[Syscall, ...] = ()
    no_new_privs: bool = False


def read_process_facts(pids: Iterable[int]) -> list[ProcessFacts]:
    """Read the facts; processes that end meanwhile are left out."""
    listening: dict[int, set[str]] = {}
    found = []
    for pid in pids:
        status = read_status(pid)
        if status is None:
            continue
        links = list_links(pid)
        arch = _read_arch(pid)
        sockets = {link for link in links if link.startswith("socket:[")}
        listens = bool(sockets) and bool(sockets & _list_listening(pid, listening))
        calls = tuple(_read_calls(pid, arch))
        found.append(
            ProcessFacts(
                pid, status.comm, arch, _RING in links, listens, calls, status.no_new_privs
            )
        )
    return found


def _read_arch(pid: int) -> Arch:
    """Return the ABI of its program by the class in the ELF header: 1 is 32-bit."""
    native = Arch.native()
    head = read_file(f"/proc/{pid}/exe", 5)
    if head[4:5] == b"\x01" and native.compat:
        return next((arch for arch in native.compat if arch is not Arch.X32), native)
    return native


def _list_listening(pid: int, known: dict[int, set[str]]) -> set[str]:
    """List the listening sockets of a process's network namespace as links name them."""
    try:
        namespace = os.stat(f"/proc/{pid}/ns/net").st_ino  # noqa: PTH116 (a magic link)
    except OSError:
        return set()
    if namespace not in known:
        known[namespace] = {socket.link for socket in list_listening(pid)}
    return known[namespace]


def _read_calls(pid: int, arch: Arch) -> Iterator[Syscall]:
    names = load_syscalls(arch).names
    for tid in list_threads(pid)[:_MAX_THREADS]:
        word = read_file(f"/proc/{pid}/task/{tid}/syscall", 256).partition(b" ")[0]
        if word.isdigit():
            yield Syscall(arch, int(word), names.get(int(word), ""))
