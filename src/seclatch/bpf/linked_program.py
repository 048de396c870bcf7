"""Link a program with the functions that it calls.

The kernel takes them one behind the other, with calls counted in instructions from the next one on.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from seclatch.bpf.object_file import INSTRUCTION, Function, ObjectError, ObjectFile, Symbol

_CALL, _PSEUDO_CALL = 0x85, 1


@dataclass(frozen=True, slots=True)
class Part:
    """A function within the program: it begins `begin` bytes into the code."""

    function: Function
    begin: int


@dataclass(slots=True)
class LinkedBpfProgram:
    """The code with calls resolved, and what of it refers to maps still."""

    code: bytearray = field(default_factory=bytearray)
    parts: list[Part] = field(default_factory=list)
    references: list[tuple[int, Symbol]] = field(default_factory=list)

    def find_source(self, offset: int) -> tuple[str, int]:
        """From where in the object an instruction comes: section and offset there."""
        part = [each for each in self.parts if each.begin <= offset][-1]
        return part.function.section, offset - part.begin + part.function.offset

    def position(self, part: Part, offset: int) -> int | None:
        """Where in the code an offset of the part's section is, None if in another function."""
        inside = offset - part.function.offset
        return part.begin + inside if 0 <= inside < len(part.function.code) else None


def link_program(file: ObjectFile, program: Function) -> LinkedBpfProgram:
    """Append what a program calls, and what that calls. Raises ObjectError."""
    functions = {(each.section, each.offset): each for each in file.functions}
    linked = LinkedBpfProgram()
    begins: dict[tuple[str, int], int] = {}
    calls: list[tuple[int, tuple[str, int]]] = []
    waiting = [(program.section, program.offset)]
    while waiting:
        key = waiting.pop()
        if key in begins:
            continue
        if key not in functions:
            raise ObjectError(f"program {program.name} calls what is no function")
        begins[key] = len(linked.code)
        part = Part(functions[key], len(linked.code))
        linked.parts.append(part)
        linked.code += part.function.code
        symbols = file.relocations.get(part.function.section, {})
        for offset, symbol in symbols.items():
            at = linked.position(part, offset)
            if at is not None and linked.code[at] != _CALL:
                linked.references.append((at, symbol))
        for at, target in _find_calls(file, part, symbols):
            calls.append((at, target))
            waiting.append(target)
    for at, target in calls:
        distance = (begins[target] - at) // INSTRUCTION - 1
        struct.pack_into("<i", linked.code, at + 4, distance)
    return linked


def _find_calls(
    file: ObjectFile, part: Part, symbols: dict[int, Symbol]
) -> Iterator[tuple[int, tuple[str, int]]]:
    """Each call of a function of ours: where in the code, and of which (section and offset)."""
    function = part.function
    for inside in range(0, len(function.code), INSTRUCTION):
        operation, registers, _, distance = struct.unpack_from("<BBhi", function.code, inside)
        if operation != _CALL or registers >> 4 != _PSEUDO_CALL:
            continue
        offset = function.offset + inside
        symbol = symbols.get(offset)
        if symbol is None:
            target = (function.section, offset + INSTRUCTION * (distance + 1))
        else:
            # The symbol is the function (distance -1) or its section.
            begin = symbol.value + INSTRUCTION * (distance + 1)
            target = (file.sections[symbol.section].name, begin)
        yield part.begin + inside, target
