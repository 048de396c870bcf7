"""Link a program with the functions that it calls.

The kernel takes them one behind the other, with calls counted in instructions from the next one on.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from seclatch.bpf.object_file import INSTRUCTION, Function, ObjectError, ObjectFile, Symbol

_CALL, _PSEUDO_CALL = 0x85, 1

_Place = tuple[str, int]


class Part(NamedTuple):
    """A function within the program: it begins `begin` bytes into the code."""

    function: Function
    begin: int

    def position(self, offset: int) -> int | None:
        """Find an offset of the function's section in the code, None if in another function."""
        inside = offset - self.function.offset
        return self.begin + inside if 0 <= inside < len(self.function.code) else None


class LinkedBpfProgram:
    """The code with calls resolved, its functions, and what of it refers to maps still."""

    def __init__(self, file: ObjectFile, program: Function) -> None:
        """Append what a program calls, and what that calls. Raises ObjectError."""
        self.code = bytearray()
        self.parts: list[Part] = []
        functions = {(each.section, each.offset): each for each in file.functions}
        begins: dict[_Place, int] = {}
        calls: list[tuple[int, _Place]] = []
        waiting = [(program.section, program.offset)]
        while waiting:
            place = waiting.pop()
            if place in begins:
                continue
            if place not in functions:
                raise ObjectError(f"program {program.name} calls what is no function")
            begins[place] = len(self.code)
            self.parts.append(part := Part(functions[place], len(self.code)))
            self.code += part.function.code
            found = list(_find_calls(file, part))
            calls += found
            waiting += [called for _, called in found]
        for at, place in calls:
            struct.pack_into("<i", self.code, at + 4, (begins[place] - at) // INSTRUCTION - 1)
        self.references = list(self._find_references(file))

    def find_source(self, offset: int) -> _Place:
        """From where in the object an instruction comes: section and offset there."""
        part = [each for each in self.parts if each.begin <= offset][-1]
        return part.function.section, offset - part.begin + part.function.offset

    def _find_references(self, file: ObjectFile) -> Iterator[tuple[int, Symbol]]:
        for part in self.parts:
            for offset, symbol in file.relocations.get(part.function.section, {}).items():
                at = part.position(offset)
                if at is not None and self.code[at] != _CALL:
                    yield at, symbol


def _find_calls(file: ObjectFile, part: Part) -> Iterator[tuple[int, _Place]]:
    """Each call of a function of ours: where in the code, and of which (section and offset)."""
    function = part.function
    symbols = file.relocations.get(function.section, {})
    for inside in range(0, len(function.code), INSTRUCTION):
        operation, registers, _, distance = struct.unpack_from("<BBhi", function.code, inside)
        if operation == _CALL and registers >> 4 == _PSEUDO_CALL:
            # Counted from the next instruction, or from the symbol: a function or its section.
            symbol = symbols.get(function.offset + inside)
            section = symbol.section if symbol else function.section
            base = symbol.value if symbol else function.offset + inside
            yield part.begin + inside, (section, base + INSTRUCTION * (distance + 1))
