"""The container that is watched: who comes into it is followed, whoever has made it."""

from __future__ import annotations

from seclatch.recording.backends.bpf.abi import WORD, Watch
from seclatch.recording.backends.bpf.assembler import R0, R1, R2, R3, R7, R8, R10, Helper
from seclatch.recording.backends.bpf.assembler import Register as Reg
from seclatch.recording.backends.bpf.builder_parts import Maps, Primitives, Stack
from seclatch.recording.backends.bpf.task_facts import find_innermost

_MAX_WORDS = 48
"""Of a program's argv that are looked at; a longer one than Watch.WORD_SIZE counts as several."""


def watch(  # noqa: PLR0913 (all that the map has)
    maps: Maps,
    *,
    mounts: int = 0,
    pids: int = 0,
    process: int = 0,
    reapers: bool = False,
    word: str = "",
) -> None:
    """Follow who comes into this container from now on (see Watch); 0 and 0: into none."""
    present = bytearray(state(maps))
    content = word.encode("utf-8", "surrogateescape")[: Watch.WORD_SIZE - 1]
    present[Watch.WORD :] = content.ljust(Watch.WORD_SIZE, b"\0")
    for place, value in (
        (Watch.MOUNTS, mounts),
        (Watch.PIDS, pids),
        (Watch.PROCESS, process),
        (Watch.REAPERS, int(reapers)),
    ):
        WORD.pack_into(present, place, value)
    maps.watch.set(bytes(4), bytes(present))


def notice_strangers(maps: Maps) -> None:
    """From now on, those that come in by themselves: all that were there have been found."""
    present = bytearray(state(maps))
    WORD.pack_into(present, Watch.OPEN, 1)
    maps.watch.set(bytes(4), bytes(present))


def state(maps: Maps) -> bytes:
    """Read the map's one value."""
    return maps.watch.get(bytes(4)) or bytes(Watch.SIZE)


def leave_closed(p: Primitives, otherwise: str) -> None:
    """Go to `otherwise` while nobody who comes in is to be noticed."""
    p.load_map_value(R1, p.maps.watch.fd)
    p.load(4, R1, R1, Watch.OPEN)
    p.jump_if("jeq", R1, 0, otherwise)


def leave_unwatched(p: Primitives, task: Reg, otherwise: str) -> None:
    """Go to `otherwise` unless the task is in the watched container.

    By mount namespace: containers of a pod may share their pid namespace, none shares its mounts.
    While nothing is watched this is two loads and a jump, at each fork and exec on the host.
    """
    by_pids, watched = p.unique("by_pids"), p.unique("watched")
    p.load_map_value(R1, p.maps.watch.fd)
    p.load(8, R1, R1, Watch.MOUNTS)  # both numbers
    p.jump_if("jeq", R1, 0, otherwise)
    p.store(8, R10, Stack.ONE, R1)
    p.read_kernel(8, task, p.offsets["task_struct.nsproxy"], Stack.POINTER)
    p.load(4, R1, R10, Stack.ONE)
    p.jump_if("jeq", R1, 0, by_pids)
    p.read_behind(8, p.offsets["nsproxy.mnt_ns"], Stack.POINTER, R10)
    p.read_behind(4, p.offsets["mnt_namespace.ns.inum"], Stack.OTHER, R10)
    _compare(p, Stack.ONE, watched, otherwise)
    p.label(by_pids)
    p.read_behind(8, p.offsets["nsproxy.pid_ns_for_children"], Stack.POINTER, R10)
    p.read_behind(4, p.offsets["pid_namespace.ns.inum"], Stack.OTHER, R10)
    _compare(p, Stack.ONE + 4, watched, otherwise)
    p.label(watched)


def leave_unreaped(p: Primitives, otherwise: str) -> None:
    """Go to `otherwise` unless pid 1 of the task's (r8) pid namespace is followed.

    That holds from the container's first process on, before anybody knows what its mounts will be.
    """
    p.load_map_value(R1, p.maps.watch.fd)
    p.load(4, R1, R1, Watch.REAPERS)
    p.jump_if("jeq", R1, 0, otherwise)
    find_innermost(p)
    p.read_behind(8, p.offsets["upid.ns"], Stack.POINTER, R10)
    p.read_behind(8, p.offsets["pid_namespace.child_reaper"], Stack.POINTER, R10)
    p.read_behind(4, p.offsets["task_struct.pid"], Stack.OTHER, R10)
    p.look_up(p.maps.tasks, Stack.OTHER, otherwise)


def leave_uncalled(p: Primitives, otherwise: str) -> None:
    """Go to `otherwise` unless the task's (r8) argv has the watched container's id as a word.

    r7 counts. A loop (Linux 5.3) of which the kernel is told a bound: words are read one by one.
    """
    again, differs, found = (p.unique(name) for name in ("again", "differs", "found"))
    p.load_map_value(R1, p.maps.watch.fd)
    p.load(8, R1, R1, Watch.WORD)
    p.jump_if("jeq", R1, 0, otherwise)
    p.read_kernel(8, R8, p.offsets["task_struct.mm"], Stack.POINTER)
    p.read_behind(8, p.offsets["mm_struct.arg_end"], Stack.ONE, R10)
    p.read_behind(8, p.offsets["mm_struct.arg_start"], Stack.POINTER, R10)
    p.move(R7, 0)
    p.label(again)
    p.load(8, R3, R10, Stack.POINTER)
    p.load(8, R1, R10, Stack.ONE)
    p.jump_if("jge", R3, R1, otherwise)
    for place in range(0, Watch.WORD_SIZE, 8):
        p.store_value(8, R10, Stack.WORD + place, 0)
    p.point(R1, R10, Stack.WORD)
    p.move(R2, Watch.WORD_SIZE)
    p.call(Helper.PROBE_READ_USER_STRING)
    p.jump_if("jsle", R0, 0, otherwise)
    p.load(8, R1, R10, Stack.POINTER)
    p.compute("add", R1, R0)
    p.store(8, R10, Stack.POINTER, R1)
    for place in range(0, Watch.WORD_SIZE, 8):
        p.load_map_value(R1, p.maps.watch.fd, Watch.WORD + place)
        p.load(8, R1, R1, 0)
        p.load(8, R2, R10, Stack.WORD + place)
        p.jump_if("jne", R1, R2, differs)
    p.jump(found)
    p.label(differs)
    p.compute("add", R7, 1)
    p.jump_if("jlt", R7, _MAX_WORDS, again)
    p.jump(otherwise)
    p.label(found)


def _compare(p: Primitives, wanted: int, equal: str, otherwise: str) -> None:
    p.load(4, R1, R10, Stack.OTHER)
    p.load(4, R2, R10, wanted)
    p.jump_if("jeq", R1, R2, equal)
    p.jump(otherwise)
