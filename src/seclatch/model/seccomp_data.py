"""One system call as a filter reads it: `struct seccomp_data`."""

from __future__ import annotations

from dataclasses import dataclass

from seclatch.model.filter import ByteOrder

DATA_SIZE = 64
"""sizeof(struct seccomp_data), <linux/seccomp.h>."""

WORDS = DATA_SIZE // 4
"""A filter reads it in aligned 32-bit words only (kernel/seccomp.c, seccomp_check_filter)."""

NUMBER, ARCH, POINTER, ARGS = 0, 1, 2, 4
"""Offsets of the fields in 32-bit words; the pointer and each argument take two."""

MAX_ARGS = 6
"""A system call has at most six arguments: the length of `args`."""

_U32, _U64 = 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF


@dataclass(frozen=True, slots=True)
class SeccompData:
    """A call: AUDIT_ARCH_* value, number, six arguments (u64), and the instruction pointer.

    Negative numbers and arguments are converted to two's complement, as in a register.
    """

    audit: int
    number: int
    args: tuple[int, ...] = ()
    pointer: int = 0

    def words(self, byteorder: ByteOrder = "little") -> tuple[int, ...]:
        """Return the 16 words in memory order on a machine of that byte order."""
        args = self.args + (0,) * (MAX_ARGS - len(self.args))
        halves: list[int] = []
        for value in (self.pointer, *args):
            low, high = value & _U32, (value & _U64) >> 32
            halves += (low, high) if byteorder == "little" else (high, low)
        return (self.number & _U32, self.audit & _U32, *halves)
