"""The kernel program that reads filters: run for every task, it changes and stops nothing.

For each task with seccomp it writes a HEADER and one LAYER for each filter, the newest first. A
filter's instructions are copied into `store` when it is met for the first time. That the kernel
keeps them as they were loaded (`bpf_prog.orig_prog`) is the doing of CONFIG_CHECKPOINT_RESTORE, and
on x86 and arm64 of the action cache too (Linux 5.11; kernel/seccomp.c, seccomp_prepare_filter).

A filter lives as long as a task holds it, and a task drops its own when it ends
(seccomp_filter_release): what was copied counts only if the task still has the same one afterwards.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from seclatch.recording.backends.bpf.assembler import (
    R0,
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    R7,
    R8,
    R9,
    R10,
    Assembler,
    Helper,
    Register,
)
from seclatch.recording.backends.bpf.task_offsets import Offsets

PLACES = (
    "bpf_iter_task()",
    "bpf_iter__task.meta",
    "bpf_iter__task.task",
    "bpf_iter_meta.seq",
    "task_struct.thread_pid",
    "task_struct.group_leader",
    "task_struct.seccomp.mode",
    "task_struct.seccomp.filter_count",
    "task_struct.seccomp.filter",
    "pid.level",
    "pid.numbers",
    "upid.nr",
    "upid",
    "seccomp_filter.prev",
    "seccomp_filter.prog",
    "bpf_prog.orig_prog",
    "sock_fprog_kern.len",
    "sock_fprog_kern.filter",
)
"""Kernel structure members that the program reads (`recording.backends.bpf.task_offsets`)."""

HEADER = struct.Struct("=IIIII4x")
"""Thread id and process id as our pid namespace has them, mode, filters, layers that follow."""

LAYER = struct.Struct("=QII")
"""Which filter (the kernel's address: the same for all who inherited it), place in `store`, bytes.
NOWHERE as place: not copied."""

NOWHERE = 0xFFFFFFFF
LAYERS = 64
"""The filters of one task that are looked at; a program that has more is told so."""

LARGEST = 4096 * 8  # BPF_MAXINSNS instructions
STORE = 4 << 20

# The frame, cells below r10; the key into `seen` is the first part of the entry.
_SCRATCH, _ENTRY, _HEADER, _HEAD, _LEVEL, _DATA, _SIZE = -8, -24, -48, -56, -64, -72, -80


@dataclass(frozen=True, slots=True)
class Maps:
    """Descriptors: `seen` place and size by filter, `cursor` the used bytes of `store`."""

    seen: int
    cursor: int
    store: int


def write(maps: Maps, places: Offsets) -> bytes:
    """Assemble the program."""
    return _Writer(maps, places).write()


class _Writer(Assembler):
    """r6: the sequence file, r7: the task, r8: the filter at hand, r9: how many were written."""

    def __init__(self, maps: Maps, places: Offsets) -> None:
        super().__init__()
        self._maps = maps
        self._at = places

    def write(self) -> bytes:
        at = self._at
        self.load(8, R7, R1, at["bpf_iter__task.task"])
        self.jump_if("jeq", R7, 0, "end")  # the call after the last task
        self.load(8, R6, R1, at["bpf_iter__task.meta"])
        self.load(8, R6, R6, at["bpf_iter_meta.seq"])
        self._read(4, R7, at["task_struct.seccomp.mode"], _HEADER + 8)
        self.load(4, R1, R10, _HEADER + 8)
        self.jump_if("jeq", R1, 0, "end", bits=32)
        self._read(4, R7, at["task_struct.seccomp.filter_count"], _HEADER + 12)
        self._identify()
        self._count_layers()
        self._write_sequence(_HEADER, HEADER.size)
        self._layers()
        self.label("end")
        self.exit(0)
        return self.code()

    def _identify(self) -> None:
        """The ids as the reader's pid namespace has them: that is the iterator's too."""
        at = self._at
        self.call(Helper.CURRENT_TASK)
        self._follow(R0, at["task_struct.thread_pid"], _SCRATCH)
        self.store_value(8, R10, _LEVEL, 0)
        self._read(4, R0, at["pid.level"], _LEVEL)
        self._number(R7, _HEADER)
        self._follow(R7, at["task_struct.group_leader"], _SCRATCH)
        self._number(R0, _HEADER + 4)

    def _number(self, task: Register, cell: int) -> None:
        """Store the id of a task, 0 for one that is being reaped."""
        at = self._at
        self._follow(task, at["task_struct.thread_pid"], _SCRATCH)
        self.load(8, R1, R10, _LEVEL)
        self.compute("mul", R1, at["upid"])
        self.compute("add", R0, R1)
        self._read(4, R0, at["pid.numbers"] + at["upid.nr"], cell)

    def _count_layers(self) -> None:
        """Walk once without writing: the header says how many layers follow."""
        self._follow(R7, self._at["task_struct.seccomp.filter"], _HEAD)
        self.move(R8, R0)
        self.move(R9, 0)
        self.label("count")
        self.jump_if("jeq", R8, 0, "counted")
        self.jump_if("jge", R9, LAYERS, "counted")
        self.compute("add", R9, 1)
        self._next()
        self.jump("count")
        self.label("counted")
        self.store(4, R10, _HEADER + 16, R9)
        self.store_value(4, R10, _HEADER + 20, 0)

    def _layers(self) -> None:
        self.load(8, R8, R10, _HEAD)
        self.move(R9, 0)
        self.label("layer")
        self.load(4, R1, R10, _HEADER + 16)
        self.jump_if("jge", R9, R1, "end")
        self.jump_if("jge", R9, LAYERS, "end")
        self._place()
        self._write_sequence(_ENTRY, LAYER.size)
        self.compute("add", R9, 1)
        self._next()
        self.jump("layer")

    def _next(self) -> None:
        self._follow(R8, self._at["seccomp_filter.prev"], _SCRATCH)
        self.move(R8, R0)

    def _place(self) -> None:
        """Fill _ENTRY: from `seen`, or by copying."""
        self.store(8, R10, _ENTRY, R8)
        self.load_map(R1, self._maps.seen)
        self._address(R2, _ENTRY)
        self.call(Helper.MAP_LOOKUP)
        self.jump_if("jeq", R0, 0, "copy")
        self.load(8, R1, R0, 0)
        self.store(8, R10, _ENTRY + 8, R1)
        self.jump("placed")
        self.label("copy")
        self.store_value(4, R10, _ENTRY + 8, -1)
        self.store_value(4, R10, _ENTRY + 12, 0)
        self._copy()
        self.label("placed")

    def _copy(self) -> None:
        at = self._at
        self._follow(R8, at["seccomp_filter.prog"], _SCRATCH)
        self._follow(R0, at["bpf_prog.orig_prog"], _DATA)
        self.jump_if("jeq", R0, 0, "placed")
        self.store_value(8, R10, _SIZE, 0)
        self._read(2, R0, at["sock_fprog_kern.len"], _SIZE)
        self.load(8, R1, R10, _DATA)
        self._follow(R1, at["sock_fprog_kern.filter"], _DATA)
        self._copy_instructions()
        self._still_held()
        self.load(4, R1, R10, _SCRATCH)
        self.store(4, R10, _ENTRY + 8, R1)
        self.load(8, R2, R10, _SIZE)
        self.store(4, R10, _ENTRY + 12, R2)
        self._advance()

    def _copy_instructions(self) -> None:
        self.load_map_value(R4, self._maps.cursor)
        self.load(8, R1, R4, 0)
        self.jump_if("jgt", R1, STORE - LARGEST, "placed")
        self.store(8, R10, _SCRATCH, R1)
        self.load(8, R2, R10, _SIZE)
        self.compute("lsh", R2, 3)
        self.jump_if("jgt", R2, LARGEST, "placed")
        self.store(8, R10, _SIZE, R2)
        self.load(8, R3, R10, _DATA)
        self.load_map_value(R5, self._maps.store)
        self.compute("add", R1, R5)
        self.call(Helper.PROBE_READ_KERNEL)
        self.jump_if("jne", R0, 0, "placed")

    def _still_held(self) -> None:
        self._follow(R7, self._at["task_struct.seccomp.filter"], _DATA)
        self.load(8, R1, R10, _HEAD)
        self.jump_if("jne", R0, R1, "placed")

    def _advance(self) -> None:
        self.load_map(R1, self._maps.seen)
        self._address(R2, _ENTRY)
        self._address(R3, _ENTRY + 8)
        self.move(R4, 0)
        self.call(Helper.MAP_UPDATE)
        self.load_map_value(R4, self._maps.cursor)
        self.load(8, R1, R4, 0)
        self.load(8, R2, R10, _SIZE)
        self.compute("add", R1, R2)
        self.store(8, R4, 0, R1)

    def _write_sequence(self, cell: int, size: int) -> None:
        """A record that does not fit is dropped as a whole and its task visited again."""
        self.move(R1, R6)
        self._address(R2, cell)
        self.move(R3, size)
        self.call(Helper.SEQ_WRITE)

    def _follow(self, base: Register, offset: int, cell: int) -> None:
        """r0 = *(base + offset), a pointer; the cell keeps it."""
        self._read(8, base, offset, cell)
        self.load(8, R0, R10, cell)

    def _read(self, size: int, base: Register, offset: int, cell: int) -> None:
        """Copy from the kernel to the frame; what cannot be read is zeros."""
        self.move(R3, base)
        self.compute("add", R3, offset)
        self._address(R1, cell)
        self.move(R2, size)
        self.call(Helper.PROBE_READ_KERNEL)

    def _address(self, target: Register, cell: int) -> None:
        self.move(target, R10)
        self.compute("add", target, cell)
