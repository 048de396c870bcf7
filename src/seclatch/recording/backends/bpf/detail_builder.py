"""What the kernel programs of a closer look are made of: single calls told with their arguments."""

from __future__ import annotations

from seclatch.recording.backends.bpf.abi import SECCOMP_MODE_DEAD, Control, State, Task
from seclatch.recording.backends.bpf.assembler import R0, R1, R2, R6, R7, R8, R9, R10, Helper
from seclatch.recording.backends.bpf.assembler import Register as Reg
from seclatch.recording.backends.bpf.builder_parts import Stack
from seclatch.recording.backends.bpf.detail_event_builder import Dispatcher, Frame, WitnessMaps
from seclatch.recording.backends.bpf.detail_events import FLIGHT, Flight, Mark, What
from seclatch.recording.backends.bpf.syscall_programs import NUMBER, load_compat

__all__ = ["Frame", "WitnessMaps", "WitnessProgram"]

_SIGSYS = 1 << 31 - 1  # in a sigset_t


class WitnessProgram(Dispatcher):
    """A program of the closer look: the task, its flight, and what is told of a call."""

    def read_registers(self) -> None:
        """r9 = pt_regs; number, ABI and marks to the frame (r8 = the task)."""
        self.read_kernel(8, R9, self.offsets[NUMBER[self.machine]], Frame.NUMBER)
        self.store(8, R10, Frame.REGS, R9)
        self.move(R6, R8)
        load_compat(self)
        self.store(4, R10, Frame.MODE, R8)
        self.move(R8, R6)
        self._mark("task_struct.seccomp.mode", Mark.KILLED)
        self._mark("task_struct.pending.signal", Mark.SIGSYS)

    def _mark(self, member: str, mark: Mark) -> None:
        skip = self.unique("unmarked")
        if mark is Mark.KILLED:
            self.load(4, R1, R8, self.offsets[member])
            self.jump_if("jne", R1, SECCOMP_MODE_DEAD, skip)
        else:
            self.load(8, R1, R8, self.offsets[member])
            self.compute("and", R1, _SIGSYS)
            self.jump_if("jeq", R1, 0, skip)
        self.load(4, R1, R10, Frame.MODE)
        self.compute("or", R1, mark)
        self.store(4, R10, Frame.MODE, R1)
        self.label(skip)

    def note_flight(self, missing: str) -> None:
        """Write the call into the segment's flight."""
        self.call(Helper.KTIME)
        self.store(8, R10, Frame.TIME, R0)
        self.copy_word(Stack.SEGMENT, R7, Task.SEGMENT)
        self.copy_word(Stack.SLOT, R7, Task.SLOT)
        self.look_up(self.own.flights, Stack.SLOT, missing)
        self.move(R1, 1)
        self.add_atomic(4, R0, Flight.NEXT, R1, fetch=True)
        self.compute("and", R1, FLIGHT - 1)
        self.move(R2, R1)
        self.compute("lsh", R1, 4)
        self.compute("lsh", R2, 3)
        self.compute("add", R0, R1)
        self.compute("add", R0, R2)
        for size, source, target in (
            (8, Frame.TIME, Flight.TIME),
            (4, Frame.NUMBER, Flight.NUMBER),
            (8, Frame.RESULT, Flight.RESULT),
        ):
            self.load(size, R1, R10, source)
            self.store(size, R0, Flight.FIRST + target, R1)
        self.load(4, R1, R10, Frame.MODE)
        self.load(4, R2, R7, Task.STATE)
        self.compute("and", R2, State.REFUSED)
        self.compute("lsh", R2, 16)
        self.compute("or", R1, R2)
        self.store(4, R0, Flight.FIRST + Flight.MODE, R1)

    def few(self, kind: int, limit: int, otherwise: str) -> None:
        """Go to `otherwise` when `limit` events of this segment, call and result have been sent.

        `kind` keeps counts of different kinds apart.
        """
        for offset, source in ((0, Stack.SEGMENT), (4, Frame.NUMBER), (12, Frame.RESULT)):
            self.load(4, R1, R10, source)
            self.store(4, R10, Stack.KEY + offset, R1)
        self.store_value(4, R10, Stack.KEY + 8, kind)
        if kind == What.CALL:  # all calls of the segment together
            self.store_value(4, R10, Stack.KEY + 4, 0)
            self.store_value(4, R10, Stack.KEY + 12, 0)
        self.count_key(self.own.seen, Control.LOST_ARGUMENTS)
        self.look_up(self.own.seen, Stack.KEY, otherwise)
        self.load(8, R1, R0, 0)
        self.jump_if("jgt", R1, limit, otherwise)

    def load_result(self, target: Reg) -> None:
        """target = what the call returned."""
        self.load(8, target, R10, Frame.RESULT)
