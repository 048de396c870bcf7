"""What kernel programs are made of: finding the task, reading memory, counting.

The programs are assembled here, so that nothing but Python is needed where they run. Each method
writes instructions. Registers: r6 the tracepoint's arguments, r7 the task's entry, r8 the task
itself, r9 the event being written.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from seclatch.recording.backends.bpf.assembler import (
    R0,
    R1,
    R2,
    R3,
    R4,
    R7,
    R8,
    R9,
    R10,
    Assembler,
    Helper,
)
from seclatch.recording.backends.bpf.assembler import Register as Reg
from seclatch.recording.backends.bpf.task_offsets import Offsets
from seclatch.system.bpf import Map

_NO_EXIST = 1


class Stack:
    """The frame, as offsets from r10."""

    TID = -4
    NEW_SLOT = -12
    NEW_SEGMENT = -16
    POINTER = -24
    SLOT = -28
    SEGMENT = -32
    TGID = -36
    OTHER = -40
    KEY = -80
    ONE = -88
    CLOSED = -120
    NEWS = -124
    WORD = -200
    TASK = -232


@dataclass(frozen=True, slots=True)
class Maps:
    """The maps that the programs share."""

    tasks: Map
    slots: Map
    free: Map
    control: Map
    rare: Map
    arguments: Map
    specs: Map
    ring: Map
    watch: Map


class Primitives(Assembler):
    """An assembler that knows the recorder's maps and this kernel's structures."""

    def __init__(self, maps: Maps, offsets: Offsets) -> None:
        super().__init__()
        self.maps = maps
        self.offsets = offsets
        self.machine = os.uname().machine

    def find_current(self, missing: str) -> None:
        """r7 = the calling thread's entry, r8 = its task_struct; else go to `missing`."""
        self.call(Helper.CURRENT_TASK_BTF)
        self.move(R8, R0)
        self.find_entry(missing)

    def find_entry(self, missing: str) -> None:
        """r7 = the entry of the task that r8 is; else go to `missing`."""
        self.copy_word(Stack.TID, R8, self.offsets["task_struct.pid"])
        self.copy_word(Stack.TGID, R8, self.offsets["task_struct.tgid"])
        self.look_up(self.maps.tasks, Stack.TID, missing)
        self.move(R7, R0)

    def look_up(self, table: Map, key: int, missing: str) -> None:
        """r0 = address of the value whose key is on the stack."""
        self.load_map(R1, table.fd)
        self.point(R2, R10, key)
        self.call(Helper.MAP_LOOKUP)
        self.jump_if("jeq", R0, 0, missing)

    def point(self, target: Reg, base: Reg, offset: int) -> None:
        """target = base + offset."""
        self.move(target, base)
        self.compute("add", target, offset)

    def count_lost(self, what: int) -> None:
        """Add to one of Control's counters: what the recording has to admit."""
        self.load_map_value(R1, self.maps.control.fd, what)
        self.move(R2, 1)
        self.add_atomic(8, R1, 0, R2)

    def copy_word(self, target: int, base: Reg, offset: int) -> None:
        """Copy 4 bytes to the stack."""
        self.load(4, R1, base, offset)
        self.store(4, R10, target, R1)

    def read_kernel(self, size: int, base: Reg, offset: int, target: int, into: Reg = R10) -> None:
        """Copy from kernel memory to into+target; what cannot be read becomes zeros."""
        self.move(R3, base)
        self.compute("add", R3, offset)
        self.point(R1, into, target)
        self.move(R2, size)
        self.call(Helper.PROBE_READ_KERNEL)

    def read_behind(self, size: int, offset: int, target: int, into: Reg = R9) -> None:
        """Copy from behind the pointer that is on the stack."""
        self.load(8, R3, R10, Stack.POINTER)
        self.compute("add", R3, offset)
        self.point(R1, into, target)
        self.move(R2, size)
        self.call(Helper.PROBE_READ_KERNEL)

    def count_key(self, table: Map, lost: int) -> None:
        """Add one to the value of the key at Stack.KEY, beginning with one; also when racing."""
        again, found, done = (self.unique(name) for name in ("again", "found", "counted"))
        self.look_up(table, Stack.KEY, again)
        self.jump(found)
        self.label(again)
        self.store_value(8, R10, Stack.ONE, 1)
        self.load_map(R1, table.fd)
        self.point(R2, R10, Stack.KEY)
        self.point(R3, R10, Stack.ONE)
        self.move(R4, _NO_EXIST)
        self.call(Helper.MAP_UPDATE)
        self.jump_if("jeq", R0, 0, done)
        missing = self.unique("full")
        self.look_up(table, Stack.KEY, missing)  # another thread was first
        self.jump(found)
        self.label(missing)
        self.count_lost(lost)
        self.jump(done)
        self.label(found)
        self.move(R1, 1)
        self.add_atomic(8, R0, 0, R1)
        self.label(done)
