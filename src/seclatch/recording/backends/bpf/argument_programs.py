"""The parts of the sys_enter program that look at arguments: r6 = (regs, …), r7 = the slot,
r8 = what to do with this call's arguments (`Spec`), r9 = its number.
"""

from __future__ import annotations

from seclatch.recording.backends.bpf.abi import Control, Event, Slot, Spec
from seclatch.recording.backends.bpf.assembler import R0, R1, R2, R3, R6, R7, R8, R9, R10, Helper
from seclatch.recording.backends.bpf.builder_parts import Stack
from seclatch.recording.backends.bpf.program_builder import Program
from seclatch.recording.trace.event_kinds import EventKind

_AF_UNIX = 1
_BUDGET = 64

# Where arguments 0 to 3 are in pt_regs.
_ARGUMENTS = {
    "x86_64": (("pt_regs.di", 0), ("pt_regs.si", 0), ("pt_regs.dx", 0), ("pt_regs.r10", 0)),
    # x0 is the result's register too; orig_x0 keeps the argument
    "aarch64": (
        ("pt_regs.orig_x0", 0),
        ("pt_regs.regs", 8),
        ("pt_regs.regs", 16),
        ("pt_regs.regs", 24),
    ),
}

# A key of the `arguments` map (ARGUMENT_KEY) on the stack.
_SEGMENT, _CALL, _INDEX, _VALUE = (Stack.KEY + offset for offset in (0, 4, 6, 8))


def _read_argument(p: Program, index: int) -> None:
    member, offset = _ARGUMENTS[p.machine][index]
    p.load(8, R3, R6, 0)
    p.compute("add", R3, p.offsets[member] + offset)
    p.point(R1, R10, _VALUE)
    p.move(R2, 8)
    p.call(Helper.PROBE_READ_KERNEL)


def _if_asked(p: Program, spec: Spec, otherwise: str) -> None:
    """Go to `otherwise` unless the call's spec (r8) has this bit."""
    asked = p.unique("asked")
    p.jump_if("jset", R8, spec, asked)
    p.jump(otherwise)
    p.label(asked)


def keep_arguments(p: Program) -> None:
    """Count distinct values by segment, call and index."""
    for index, spec in enumerate((Spec.ARG0, Spec.ARG1, Spec.ARG2, Spec.ARG3)):
        skip = p.unique("next")
        _if_asked(p, spec, skip)
        _read_argument(p, index)
        _count_argument(p, index)
        p.label(skip)
    skip = p.unique("next")
    _if_asked(p, Spec.FLAGS_BEHIND_ARG0, skip)
    _read_argument(p, 0)
    p.load(8, R3, R10, _VALUE)
    p.point(R1, R10, _VALUE)
    p.move(R2, 8)
    p.call(Helper.PROBE_READ_USER)
    readable = p.unique("readable")
    p.jump_if("jeq", R0, 0, readable)
    p.count_lost(Control.LOST_ARGUMENTS)
    p.jump(skip)
    p.label(readable)
    _count_argument(p, 0)
    p.label(skip)


def _count_argument(p: Program, index: int) -> None:
    p.store(2, R10, _CALL, R9)
    p.store_value(2, R10, _INDEX, index)
    p.count_key(p.maps.arguments, Control.LOST_ARGUMENTS)


def watch_writes(p: Program) -> None:
    """After a connect(2) to a Unix socket, show the beginning of some writes.

    A client tells its engine in there which container to start: the one fact that ties a command
    to what a daemon does for it. The recorder compares and keeps nothing of it.
    """
    end, write = p.unique("watched"), p.unique("write")
    _if_asked(p, Spec.CONNECT, write)
    _read_argument(p, 1)
    p.load(8, R3, R10, _VALUE)
    p.store_value(8, R10, _VALUE, 0)
    p.point(R1, R10, _VALUE)
    p.move(R2, 2)
    p.call(Helper.PROBE_READ_USER)
    p.load(2, R1, R10, _VALUE)
    p.jump_if("jne", R1, _AF_UNIX, end)
    p.store_value(4, R7, Slot.BUDGET, _BUDGET)
    p.jump(end)
    p.label(write)
    _if_asked(p, Spec.WRITE, end)
    p.load(4, R1, R7, Slot.BUDGET)
    p.jump_if("jeq", R1, 0, end)
    p.compute("sub", R1, 1)
    p.store(4, R7, Slot.BUDGET, R1)
    p.copy_word(Stack.NEW_SEGMENT, R10, _SEGMENT)
    p.copy_word(Stack.SEGMENT, R10, _SEGMENT)
    p.copy_word(Stack.NEW_SLOT, R10, Stack.SLOT)
    p.send(EventKind.SAID, Event.SAID_SIZE, lambda: _write_said(p))
    p.label(end)


def _write_said(p: Program) -> None:
    fits = p.unique("fits")
    _read_argument(p, 2)
    p.load(8, R1, R10, _VALUE)
    p.jump_if("jle", R1, Event.TEXT_SIZE, fits)
    p.move(R1, Event.TEXT_SIZE)
    p.label(fits)
    p.store(4, R9, Event.TEXT_LENGTH, R1)
    p.store(8, R10, Stack.ONE, R1)
    _read_argument(p, 1)
    p.load(8, R3, R10, _VALUE)
    p.point(R1, R9, Event.TEXT)
    p.load(8, R2, R10, Stack.ONE)
    p.call(Helper.PROBE_READ_USER)
