"""Link a program with the functions that it calls, and patch the running kernel's offsets into it.

The kernel takes functions one behind the other, with calls counted in instructions from the next
one on. As libbpf does, a member that a kernel lacks makes its instruction one that the verifier
refuses, unless the program asks first whether there is one (CO-RE).
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from seclatch.bpf.compiled_object import INSTRUCTION, BpfFunction
from seclatch.bpf.kernel_types import KernelTypes

POISON = 195896080
"""Number of a helper that there is not ("bad relocation" in libbpf): the verifier names it."""

_CALL = 0x85
_ALU, _ALU64 = 0x04, 0x07
_PSEUDO_MAP, _PSEUDO_MAP_VALUE = 1, 2


class LinkedBpfProgram:
    """The code of a program; `begins`: where each of its functions begins."""

    def __init__(self, functions: dict[str, BpfFunction], program: str) -> None:
        self._functions = functions
        self.code = bytearray()
        self.begins: dict[str, int] = {}
        self.missing: dict[int, str] = {}
        """What the kernel lacks, by the instruction that needs it."""
        waiting = [program]
        while waiting:
            name = waiting.pop()
            if name not in self.begins:
                self.begins[name] = len(self.code)
                self.code += bytes.fromhex(functions[name].code)
                waiting += [called for _, called in functions[name].calls]
        for name, begin in self.begins.items():
            for offset, called in functions[name].calls:
                distance = (self.begins[called] - begin - offset) // INSTRUCTION - 1
                struct.pack_into("<i", self.code, begin + offset + 4, distance)

    def refer_to_maps(self, find: Callable[[str], int]) -> None:
        """Have instructions load maps, of which `find` returns the descriptors."""
        for name, begin in self.begins.items():
            for offset, wanted, inside in self._functions[name].maps:
                at = begin + offset
                kind = _PSEUDO_MAP if inside is None else _PSEUDO_MAP_VALUE
                self.code[at + 1] = self.code[at + 1] & 15 | kind << 4
                struct.pack_into("<i4xi", self.code, at + 4, find(wanted), inside or 0)

    def relocate(self, types: KernelTypes) -> None:
        """Patch the kernel's answers into the code."""
        for name, begin in self.begins.items():
            for offset, question, rest, exists in self._functions[name].accesses:
                found = types[question]
                if exists:
                    self._patch(begin + offset, int(found is not None))
                elif found is None:
                    self.missing[begin + offset] = question
                    struct.pack_into("<BBhi", self.code, begin + offset, _CALL, 0, 0, POISON)
                else:
                    self._patch(begin + offset, found + rest)

    def _patch(self, at: int, answer: int) -> None:
        """Write into the immediate of an arithmetic instruction, or the offset of another one."""
        if self.code[at] & 7 in (_ALU, _ALU64):
            struct.pack_into("<i", self.code, at + 4, answer)
        else:
            struct.pack_into("<h", self.code, at + 2, answer)

    def find_line(self, at: int) -> str:
        """Find the line of C that an instruction comes from: file, number and text."""
        name, begin = [row for row in self.begins.items() if row[1] <= at][-1]
        rows = [row.partition(" ") for row in self._functions[name].lines.splitlines()]
        return [line for offset, _, line in rows if int(offset) <= at - begin][-1]
