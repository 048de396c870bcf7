"""An assembler for eBPF: the few instructions that the recorder's programs need.

Written with `Documentation/bpf/standardization/instruction-set.rst` open. Branch targets are
labels; a target that is too far or missing is an error of ours and raises ValueError.
"""

from __future__ import annotations

import struct
from enum import IntEnum


class Register(IntEnum):
    """r0: result. r1 to r5: arguments, lost at calls. r6 to r9: kept. r10: the frame's end."""

    R0 = 0
    R1 = 1
    R2 = 2
    R3 = 3
    R4 = 4
    R5 = 5
    R6 = 6
    R7 = 7
    R8 = 8
    R9 = 9
    R10 = 10


R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10 = Register


class Helper(IntEnum):
    """Kernel functions that a program may call: enum bpf_func_id."""

    MAP_LOOKUP = 1
    MAP_UPDATE = 2
    MAP_DELETE = 3
    KTIME = 5
    CURRENT_PID_TGID = 14
    CURRENT_TASK = 35
    MAP_POP = 88
    PROBE_READ_USER = 112
    PROBE_READ_KERNEL = 113
    PROBE_READ_USER_STRING = 114
    PROBE_READ_KERNEL_STRING = 115
    SEQ_WRITE = 127
    RINGBUF_OUTPUT = 130
    RINGBUF_RESERVE = 131
    RINGBUF_SUBMIT = 132
    CURRENT_TASK_BTF = 158
    TASK_PT_REGS = 175


_SIZES = {1: 0x10, 2: 0x08, 4: 0x00, 8: 0x18}
_OPERATIONS = {"add": 0x0, "sub": 0x1, "mul": 0x2, "or": 0x4, "and": 0x5, "lsh": 0x6, "rsh": 0x7}
_OPERATIONS |= {"neg": 0x8}
_MOVE = 0xB
_JUMPS = {"ja": 0x0, "jeq": 0x1, "jgt": 0x2, "jge": 0x3, "jset": 0x4, "jne": 0x5}
_JUMPS |= {"jsgt": 0x6, "jsge": 0x7, "jlt": 0xA, "jle": 0xB, "jslt": 0xC, "jsle": 0xD}
_FETCH = 0x01
_PSEUDO_MAP_FD = 1
_PSEUDO_MAP_VALUE = 2


class Assembler:
    """Collects instructions; `code` gives the program's bytes."""

    def __init__(self) -> None:
        self._instructions: list[tuple[int, int, int, int, int]] = []
        self._labels: dict[str, int] = {}
        self._jumps: list[tuple[int, str]] = []
        self._unique = 0

    def unique(self, name: str) -> str:
        """Make a label's name that no other part of the program has."""
        self._unique += 1
        return f"{name}.{self._unique}"

    def label(self, name: str) -> None:
        """Give the next instruction a name. Raises ValueError for a second one of that name."""
        if name in self._labels:
            raise ValueError(f"label {name} twice")
        self._labels[name] = len(self._instructions)

    def load(self, size: int, target: Register, base: Register, offset: int) -> None:
        """target = *(base + offset), `size` bytes without sign."""
        self._emit(0x61 | _SIZES[size], target, base, offset)

    def store(self, size: int, base: Register, offset: int, source: Register) -> None:
        """*(base + offset) = source."""
        self._emit(0x63 | _SIZES[size], base, source, offset)

    def store_value(self, size: int, base: Register, offset: int, value: int) -> None:
        """*(base + offset) = value."""
        self._emit(0x62 | _SIZES[size], base, 0, offset, value)

    def add_atomic(
        self, size: int, base: Register, offset: int, source: Register, *, fetch: bool = False
    ) -> None:
        """*(base + offset) += source; with fetch (Linux 5.12), source = what was there before."""
        self._emit(0xC3 | _SIZES[size], base, source, offset, _FETCH if fetch else 0)

    def compute(self, operation: str, target: Register, operand: Register | int) -> None:
        """target = target OP operand, 64 bits wide."""
        self._arithmetic(_OPERATIONS[operation], target, operand)

    def move(self, target: Register, source: Register | int) -> None:
        """target = source; a number is extended from 32 bits with its sign."""
        self._arithmetic(_MOVE, target, source)

    def _arithmetic(self, operation: int, target: Register, operand: Register | int) -> None:
        if isinstance(operand, Register):
            self._emit(operation << 4 | 0x0F, target, operand)
        else:
            self._emit(operation << 4 | 0x07, target, 0, 0, operand)

    def load_map(self, target: Register, fd: int) -> None:
        """target = the map, as argument of a helper."""
        self._emit(0x18, target, _PSEUDO_MAP_FD, 0, fd)
        self._emit(0)

    def load_map_value(self, target: Register, fd: int, offset: int = 0) -> None:
        """target = address within the one value of an ARRAY (Linux 5.2): no look-up at run time."""
        self._emit(0x18, target, _PSEUDO_MAP_VALUE, 0, fd)
        self._emit(0, imm=offset)

    def call(self, helper: Helper) -> None:
        """r0 = helper(r1, …); r1 to r5 are lost."""
        self._emit(0x85, imm=helper)

    def jump(self, label: str) -> None:
        """Go on at the label."""
        self._branch(0x05, label)

    def jump_if(
        self, condition: str, left: Register, right: Register | int, label: str, *, bits: int = 64
    ) -> None:
        """Go on at the label if `left CONDITION right`, without sign but for js…"""
        code = _JUMPS[condition] << 4 | (0x05 if bits == 64 else 0x06)
        if isinstance(right, Register):
            self._branch(code | 0x08, label, left, right)
        else:
            self._branch(code, label, left, imm=right)

    def exit(self, result: int = 0) -> None:
        """End the program."""
        self.move(R0, result)
        self._emit(0x95)

    def exit_with_r0(self) -> None:
        """End the program with what r0 holds."""
        self._emit(0x95)

    def code(self) -> bytes:
        """Encode the program. Raises ValueError for a label that is not there or too far away."""
        encoded = list(self._instructions)
        for at, label in self._jumps:
            if label not in self._labels:
                raise ValueError(f"no label {label}")
            code, target, source, _, imm = encoded[at]
            encoded[at] = (code, target, source, self._labels[label] - at - 1, imm)
        try:
            return b"".join(
                struct.pack("=BBhi", code, _registers(target, source), offset, imm)
                for code, target, source, offset, imm in encoded
            )
        except struct.error as error:
            raise ValueError(f"does not fit into an instruction: {error}") from error

    def _branch(
        self, code: int, label: str, target: int = 0, source: int = 0, imm: int = 0
    ) -> None:
        self._jumps.append((len(self._instructions), label))
        self._emit(code, target, source, 0, imm)

    def _emit(
        self, code: int, target: int = 0, source: int = 0, offset: int = 0, imm: int = 0
    ) -> None:
        self._instructions.append((code, target, source, offset, imm))


def _registers(target: int, source: int) -> int:
    """Both registers' byte: bit fields, so their order follows that of the bytes."""
    little = struct.pack("=H", 1)[0] == 1
    return target | source << 4 if little else target << 4 | source
