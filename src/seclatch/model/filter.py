"""A seccomp filter: a classic BPF program, as bytes and as instructions."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal, NamedTuple

ByteOrder = Literal["little", "big"]

INSTRUCTION_SIZE = 8
"""sizeof(struct sock_filter), <linux/filter.h>: u16 code, u8 jt, u8 jf, u32 k."""

MAX_FILE_INSTRUCTIONS = 0xFFFF
"""struct sock_fprog counts instructions in a u16: a longer program cannot be loaded at all."""


class Instruction(NamedTuple):
    """One `struct sock_filter`. Jumps count from the next instruction and only go forward."""

    code: int
    jt: int
    jf: int
    k: int


@dataclass(frozen=True, slots=True)
class Filter:
    """A BPF program and the byte order of its machine.

    The byte order decides the instructions' bytes, and which half of a 64-bit argument lies at the
    lower offset of seccomp_data. A Filter may hold a program that the kernel would refuse;
    `seclatch.filter.classic_bpf.verify` checks it.
    """

    instructions: tuple[Instruction, ...]
    byteorder: ByteOrder = "little"

    def __len__(self) -> int:
        return len(self.instructions)

    @classmethod
    def from_bytes(cls, data: bytes, byteorder: ByteOrder = "little") -> Filter:
        """Decode instructions as seccomp(2) and PTRACE_SECCOMP_GET_FILTER lay them out.

        Raises ValueError for a partial instruction, or more than 65535.
        """
        if len(data) > MAX_FILE_INSTRUCTIONS * INSTRUCTION_SIZE:
            raise ValueError(f"more than {MAX_FILE_INSTRUCTIONS} instructions")
        if len(data) % INSTRUCTION_SIZE:
            whole = len(data) // INSTRUCTION_SIZE
            raise ValueError(
                f"{len(data)} bytes are no whole number of 8-byte instructions "
                f"({whole} and {len(data) % INSTRUCTION_SIZE} bytes)"
            )
        layout = "<HBBI" if byteorder == "little" else ">HBBI"
        return cls(tuple(map(Instruction._make, struct.iter_unpack(layout, data))), byteorder)

    def to_bytes(self) -> bytes:
        """Encode the program as an array of `struct sock_filter` in its own byte order."""
        layout = struct.Struct("<HBBI" if self.byteorder == "little" else ">HBBI")
        return b"".join(layout.pack(*instruction) for instruction in self.instructions)
