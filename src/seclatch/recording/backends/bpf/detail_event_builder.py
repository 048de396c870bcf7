"""How one sight is written: the event that the programs of a closer look put into their ring.

Written like `seclatch.recording.backends.bpf.program_builder`, whose registers and frame these
share.
"""

from __future__ import annotations

from dataclasses import dataclass

from seclatch.recording.backends.bpf import abi
from seclatch.recording.backends.bpf.assembler import R0, R1, R2, R3, R9, R10, Helper
from seclatch.recording.backends.bpf.builder_parts import Maps, Stack
from seclatch.recording.backends.bpf.detail_events import MAX_TEXT, PIECE, PIECES, Mark, Sight
from seclatch.recording.backends.bpf.program_builder import Program
from seclatch.recording.backends.bpf.task_offsets import Offsets
from seclatch.system.bpf import Map

_IOVEC = 16  # sizeof(struct iovec)
_NO_WAKEUP = 1

# pt_regs in the order of arguments; the second for 32-bit calls on x86-64.
_REGISTERS = {
    "x86_64": ("di", "si", "dx", "r10", "r8", "r9"),
    "compat": ("bx", "cx", "dx", "si", "di", "bp"),
}


class Frame:
    """The frame beyond what `Stack` has."""

    RESULT = -136
    NUMBER = -144
    MODE = -148
    WHAT = -152
    TIME = -160
    VECTOR = -176
    REGS = -184


@dataclass(frozen=True, slots=True)
class WitnessMaps:
    """Maps of the closer look: `seen` counts events by what they are about, `wanted` says by call
    number which argument is a path and by errno which failures matter, `lost` counts events."""

    flights: Map
    sights: Map
    seen: Map
    wanted: Map
    lost: Map


class Dispatcher(Program):
    """A program that sends sights; r9 is the event while one is written."""

    def __init__(self, maps: Maps, offsets: Offsets, own: WitnessMaps) -> None:
        super().__init__(maps, offsets)
        self.own = own

    def send_sight(self, what: int | None, *, text: str) -> None:
        """Send one; `text`: "path" (the argument that `wanted` names), "bytes" or "vector"."""
        done, lost = self.unique("told"), self.unique("untold")
        self.load_map(R1, self.own.sights.fd)
        self.move(R2, Sight.SIZE)
        self.move(R3, 0)
        self.call(Helper.RINGBUF_RESERVE)
        self.jump_if("jeq", R0, 0, lost)
        self.move(R9, R0)
        if what is None:
            self.load(4, R1, R10, Frame.WHAT)
            self.store(4, R9, Sight.WHAT, R1)
        else:
            self.store_value(4, R9, Sight.WHAT, what)
        self.load(4, R1, R10, Stack.TID)
        self.store(4, R9, Sight.TID, R1)
        for size, source, target in (
            (8, Frame.TIME, Sight.TIME),
            (4, Stack.SEGMENT, Sight.SEGMENT),
            (4, Frame.MODE, Sight.MODE),
            (4, Frame.NUMBER, Sight.NUMBER),
            (8, Frame.RESULT, Sight.RESULT),
        ):
            self.load(size, R1, R10, source)
            self.store(size, R9, target, R1)
        self.store_value(4, R9, Sight.LENGTH, 0)
        self._write_arguments()
        {"path": self._write_path, "bytes": self._write_bytes, "vector": self._write_vector}[text]()
        self.move(R1, R9)
        self.move(R2, _NO_WAKEUP)
        self.call(Helper.RINGBUF_SUBMIT)
        self.jump(done)
        self.label(lost)
        self._count_lost()
        self.label(done)

    def _count_lost(self) -> None:
        self.load_map_value(R1, self.own.lost.fd)
        self.move(R2, 1)
        self.add_atomic(8, R1, 0, R2)

    def _write_arguments(self) -> None:
        if self.machine != "x86_64":
            self._write_registers(("orig_x0", "regs", "regs", "regs", "regs", "regs"))
            return
        compat, done = self.unique("compat"), self.unique("arguments")
        self.load(4, R1, R10, Frame.MODE)
        self.compute("and", R1, Mark.COMPAT)
        self.jump_if("jne", R1, 0, compat)
        self._write_registers(_REGISTERS["x86_64"])
        self.jump(done)
        self.label(compat)
        self._write_registers(_REGISTERS["compat"])
        self.label(done)

    def _write_registers(self, names: tuple[str, ...]) -> None:
        for index, name in enumerate(names):
            self.load(8, R3, R10, Frame.REGS)
            member = self.offsets[f"pt_regs.{name}"] + (8 * index if name == "regs" else 0)
            self.compute("add", R3, member)
            self.point(R1, R9, Sight.ARGS + 8 * index)
            self.move(R2, 8)
            self.call(Helper.PROBE_READ_KERNEL)

    def _write_path(self) -> None:
        """The string behind the argument that is a path, as far as the memory is there."""
        end = self.unique("path")
        self.load(4, R1, R10, Frame.MODE)
        self.compute("and", R1, Mark.COMPAT)
        self.jump_if("jne", R1, 0, end)
        self.load(4, R1, R10, Frame.NUMBER)
        self.jump_if("jge", R1, abi.NUMBERS, end)
        self.load_map_value(R2, self.own.wanted.fd)
        self.compute("add", R2, R1)
        self.load(1, R1, R2, 0)
        self.jump_if("jeq", R1, 0, end)
        self.compute("sub", R1, 1)
        self.compute("and", R1, 7)
        self.jump_if("jgt", R1, 5, end)
        self.compute("lsh", R1, 3)
        self.move(R2, R9)
        self.compute("add", R2, R1)
        self.load(8, R3, R2, Sight.ARGS)
        self.point(R1, R9, Sight.TEXT)
        self.move(R2, MAX_TEXT)
        self.call(Helper.PROBE_READ_USER_STRING)
        self.jump_if("jsle", R0, 0, end)
        self.store(4, R9, Sight.LENGTH, R0)
        self.label(end)

    def _write_bytes(self) -> None:
        fits = self.unique("fits")
        self.load(8, R2, R10, Frame.RESULT)
        self.jump_if("jle", R2, MAX_TEXT, fits)
        self.move(R2, MAX_TEXT)
        self.label(fits)
        self.store(4, R9, Sight.LENGTH, R2)
        self.load(8, R3, R9, Sight.ARGS + 8)
        self.point(R1, R9, Sight.TEXT)
        self.call(Helper.PROBE_READ_USER)

    def _write_vector(self) -> None:
        """The beginnings of the pieces of a writev(2), each in a field of its own; ld.so and musl
        write their messages so. LENGTH stays 0, what was not read is zeros."""
        for index in range(PIECES):
            absent, fits = self.unique("absent"), self.unique("fits")
            place = Sight.TEXT + PIECE * index
            for word in range(0, PIECE, 8):
                self.store_value(8, R9, place + word, 0)
            self.load(8, R1, R9, Sight.ARGS + 16)
            self.jump_if("jle", R1, index, absent)
            self.load(8, R3, R9, Sight.ARGS + 8)
            self.compute("add", R3, _IOVEC * index)
            self.point(R1, R10, Frame.VECTOR)
            self.move(R2, _IOVEC)
            self.call(Helper.PROBE_READ_USER)
            self.jump_if("jne", R0, 0, absent)
            self.load(8, R2, R10, Frame.VECTOR + 8)
            self.jump_if("jle", R2, PIECE, fits)
            self.move(R2, PIECE)
            self.label(fits)
            self.load(8, R3, R10, Frame.VECTOR)
            self.point(R1, R9, place)
            self.call(Helper.PROBE_READ_USER)
            self.label(absent)
