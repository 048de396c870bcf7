"""Read `.BTF.ext`: the lines of C that instructions come from, and the members that they access.

Format: Documentation/bpf/btf.rst.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from seclatch.bpf.object_file import ObjectError

_MAGIC = 0xEB9F
_HEADER = struct.Struct("<HBBIIIIIIII")
_BLOCK = struct.Struct("<II")
_LINE = struct.Struct("<IIII")
_ACCESS = struct.Struct("<IIII")


class Access(IntEnum):
    """Kinds of CO-RE relocations (enum bpf_core_relo_kind) that the programs use."""

    BYTE_OFFSET = 0
    EXISTS = 2
    TYPE_SIZE = 9


@dataclass(frozen=True, slots=True)
class SourceLine:
    """Where an instruction comes from: `offset` is its place in the section."""

    offset: int
    file: str
    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Relocation:
    """A member access to be patched: type by id in the object's BTF, path through it by numbers."""

    offset: int
    type_id: int
    path: tuple[int, ...]
    kind: Access


class BtfExt:
    """Both tables by section; `strings` are those of the object's `.BTF`."""

    def __init__(self, data: bytes, strings: bytes) -> None:
        self._data = data
        self._strings = strings
        try:
            header = _HEADER.unpack_from(data)
            if header[0] != _MAGIC:
                raise ObjectError(".BTF.ext: not BTF")
            begin, line, lines, access, accesses = header[3], *header[6:10]
            self._lines = (begin + line, lines)
            self.relocations = {
                name: [self._relocation(*each) for each in rows]
                for name, rows in self._blocks(begin + access, accesses, _ACCESS)
            }
        except struct.error as error:
            raise ObjectError(".BTF.ext: cut off") from error

    def read_lines(self) -> dict[str, list[SourceLine]]:
        """Read where instructions come from, by section: needed for messages only."""
        return {
            name: [
                SourceLine(offset, self._text(file), place >> 10, self._text(text).strip())
                for offset, file, text, place in rows
            ]
            for name, rows in self._blocks(*self._lines, _LINE)
        }

    def _relocation(self, offset: int, type_id: int, path: int, kind: int) -> Relocation:
        try:
            numbers = tuple(map(int, self._text(path).split(":")))
            return Relocation(offset, type_id, numbers, Access(kind))
        except ValueError as error:
            raise ObjectError(f".BTF.ext: relocation of kind {kind}: {error}") from error

    def _blocks(
        self, begin: int, size: int, row: struct.Struct
    ) -> Iterator[tuple[str, list[tuple[int, ...]]]]:
        if not size:
            return
        width = struct.unpack_from("<I", self._data, begin)[0]
        if width < row.size:
            raise ObjectError(".BTF.ext: rows too short")
        position, end = begin + 4, begin + size
        while position < end:
            name, count = _BLOCK.unpack_from(self._data, position)
            position += _BLOCK.size
            rows = [row.unpack_from(self._data, position + n * width) for n in range(count)]
            position += width * count
            yield self._text(name), rows

    def _text(self, offset: int) -> str:
        end = self._strings.find(b"\0", offset)
        return self._strings[offset:end].decode("utf-8", "replace")
