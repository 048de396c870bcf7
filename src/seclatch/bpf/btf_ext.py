"""Read `.BTF.ext`: the lines of C that instructions come from, and the members that they access.

Format: Documentation/bpf/btf.rst.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

from seclatch.bpf.object_file import ObjectError

_MAGIC = 0xEB9F
_HEADER = struct.Struct("<HBBIIIIIIII")
_BLOCK = struct.Struct("<II")
_ROW = struct.Struct("<IIII")


class Access(IntEnum):
    """Kinds of CO-RE relocations (enum bpf_core_relo_kind) that the programs use."""

    BYTE_OFFSET = 0
    EXISTS = 2
    TYPE_SIZE = 9


class SourceLine(NamedTuple):
    """Where an instruction comes from: `offset` is its place in the section."""

    offset: int
    file: str
    number: int
    text: str


class Relocation(NamedTuple):
    """A member access to be patched: type by id in the object's BTF, path through it by numbers."""

    offset: int
    type_id: int
    path: tuple[int, ...]
    kind: Access


class BtfExt:
    """Both tables, by section; `strings` are those of the object's `.BTF`."""

    def __init__(self, data: bytes, strings: bytes) -> None:
        self._data = data
        self._strings = strings
        magic, _, _, begin, _, _, line, lines, access, accesses, *_ = _HEADER.unpack_from(data)
        if magic != _MAGIC:
            raise ObjectError(".BTF.ext: not BTF")
        self._lines = (begin + line, lines)
        self.relocations = {
            name: [
                Relocation(offset, type_id, self._path(path), Access(kind))
                for offset, type_id, path, kind in rows
            ]
            for name, rows in self._blocks(begin + access, accesses)
        }

    def read_lines(self) -> dict[str, list[SourceLine]]:
        """Read where instructions come from: needed for messages only."""
        return {
            name: [
                SourceLine(offset, self._text(file), place >> 10, self._text(text).strip())
                for offset, file, text, place in rows
            ]
            for name, rows in self._blocks(*self._lines)
        }

    def _blocks(self, begin: int, size: int) -> Iterator[tuple[str, list[tuple[int, ...]]]]:
        """Read a table: rows of at least four numbers, in a block for each section."""
        width = struct.unpack_from("<I", self._data, begin)[0] if size else _ROW.size
        if width < _ROW.size:
            raise ObjectError(".BTF.ext: rows too short")
        position, end = begin + 4, begin + size
        while position < end:
            name, count = _BLOCK.unpack_from(self._data, position)
            position += _BLOCK.size
            rows = [_ROW.unpack_from(self._data, position + n * width) for n in range(count)]
            position += width * count
            yield self._text(name), rows

    def _path(self, offset: int) -> tuple[int, ...]:
        return tuple(map(int, self._text(offset).split(":")))

    def _text(self, offset: int) -> str:
        return self._strings[offset : self._strings.index(b"\0", offset)].decode("utf-8", "replace")
