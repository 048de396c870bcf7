"""BTF, the kernel's type information: offsets of the members of its structures.

Format: Documentation/bpf/btf.rst. The file comes from the kernel, yet no read goes beyond its end:
a wrong length ends in a BtfError.
"""

from __future__ import annotations

import struct
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

VMLINUX = Path("/sys/kernel/btf/vmlinux")

_MAGIC = 0xEB9F
POINTER, ARRAY, TYPEDEF = 2, 3, 8
_STRUCT, _UNION, _FUNCTION = 4, 5, 12
_MODIFIERS = {8, 9, 10, 11, 18}  # typedef, volatile, const, restrict, type tag
# Bytes after the 12 of struct btf_type: fixed ones, and those for each of `vlen` members.
_FIXED = {1: 4, 3: 12, 14: 4, 17: 4}
_EACH = {4: 12, 5: 12, 6: 8, 13: 8, 15: 12, 19: 12}
_MAX_DEPTH = 16


class BtfError(Exception):
    """Not BTF, or a structure or member that this kernel does not have."""


class BtfType(NamedTuple):
    """A type.

    `refers` is its size or the id of the type it refers to; `members` of structures are names,
    types and bit offsets; `element` and `length` are an array's.
    """

    name: str
    kind: int
    refers: int
    members: tuple[tuple[str, int, int], ...] = ()
    element: int = 0
    length: int = 0


class Btf:
    """The bytes of a BTF file; a type is looked up when it is asked for."""

    def __init__(self, data: bytes) -> None:
        try:
            magic, _, _, header, types, size, strings, _ = struct.unpack_from("=HBBIIIII", data, 0)
        except struct.error as error:
            raise BtfError("shorter than its header") from error
        if magic != _MAGIC:
            raise BtfError("no BTF, or of another byte order")
        self._data = data
        self._first = header + types
        self._end = header + types + size
        self._strings = header + strings

    @classmethod
    def of_kernel(cls) -> Btf:
        """Read the running kernel's BTF.

        Raises OSError where it has none (CONFIG_DEBUG_INFO_BTF).
        """
        return cls(VMLINUX.read_bytes())

    def offset(self, path: str) -> int:
        """Return a member's byte offset: `task_struct.seccomp.filter_count`. Raises BtfError."""
        try:
            return self._offset(path)
        except struct.error as error:
            raise BtfError("cut off within its types") from error

    def size(self, structure: str) -> int:
        """Return the size of a structure in bytes. Raises BtfError."""
        return int(struct.unpack_from("=8xI", self._data, self._find(structure, _STRUCT)[1])[0])

    def function(self, name: str) -> int:
        """Return the type id by which bpf(2) names a kernel function. Raises BtfError."""
        return self._find(name, _FUNCTION)[0]

    def typedef(self, name: str) -> int:
        """Find the id of a typedef: bpf(2) names tracepoints by `btf_trace_…`. Raises BtfError."""
        return self._find(name, TYPEDEF)[0]

    def read(self, identifier: int) -> BtfType:
        """Read one type, without typedefs and qualifiers around it. Raises BtfError."""
        try:
            return self._read(self._strip(self._place(identifier)))
        except struct.error as error:
            raise BtfError("cut off within its types") from error

    def named(self, name: str) -> list[BtfType]:
        """Read all types of a name. Raises BtfError."""
        string = self._data.find(b"\0" + name.encode() + b"\0", self._strings)
        wanted = string + 1 - self._strings
        return [
            self._read(place)
            for place in (self._places[1:] if string >= 0 else ())
            if struct.unpack_from("=I", self._data, place)[0] == wanted
        ]

    def size_of(self, identifier: int) -> int:
        """Bytes that a type takes. Raises BtfError."""
        found = self.read(identifier)
        if found.kind == POINTER:
            return 8
        return found.length * self.size_of(found.element) if found.kind == ARRAY else found.refers

    def strings(self) -> bytes:
        """All names, each with a NUL behind it."""
        return self._data[self._strings :]

    def _read(self, place: int) -> BtfType:
        name, info, refers = struct.unpack_from("=III", self._data, place)
        kind, count = info >> 24 & 31, info & 0xFFFF
        place += 12
        if kind == ARRAY:
            element, _, length = struct.unpack_from("=III", self._data, place)
            return BtfType(self._name(name), kind, refers, (), element, length)
        if kind not in _EACH:
            return BtfType(self._name(name), kind, refers)
        width = _EACH[kind]
        rows = [
            struct.unpack_from("=III" if width == 12 else "=II", self._data, place + width * n)
            for n in range(count)
        ]
        members = tuple((self._name(row[0]), row[1], row[2] if row[2:] else 0) for row in rows)
        return BtfType(self._name(name), kind, refers, members)

    def _offset(self, path: str) -> int:
        structure, *members = path.split(".")
        place, bits = self._find(structure, _STRUCT)[1], 0
        for member in members:
            found = self._member(self._strip(place), member, 0)
            if found is None:
                raise BtfError(f"this kernel has no {path}")
            bits += found[0]
            place = found[1]
        return bits // 8

    @cached_property
    def _places(self) -> list[int]:
        """Return where each type begins, by type id; id 0 is void."""
        places, at, end = [0], self._first, self._end
        unpack = struct.Struct("=I").unpack_from
        while at < end:
            places.append(at)
            info = unpack(self._data, at + 4)[0]
            kind = info >> 24 & 31
            at += 12 + (_FIXED.get(kind) or _EACH.get(kind, 0) * (info & 0xFFFF))
        return places

    def _find(self, name: str, kind: int) -> tuple[int, int]:
        """Find id and place of the type with this name; not a forward declaration."""
        string = self._data.find(b"\0" + name.encode() + b"\0", self._strings)
        wanted = string + 1 - self._strings
        for number, place in enumerate(self._places) if string >= 0 else ():
            offset, info = struct.unpack_from("=II", self._data, place) if number else (0, 0)
            if offset == wanted and info >> 24 & 31 == kind:
                return number, place
        raise BtfError(f"this kernel has no {'struct ' if kind == _STRUCT else ''}{name}")

    def _strip(self, place: int) -> int:
        """Follow typedefs and qualifiers to the type itself."""
        for _ in range(_MAX_DEPTH):
            _, info, target = struct.unpack_from("=III", self._data, place)
            if info >> 24 & 31 not in _MODIFIERS:
                return place
            place = self._place(target)
        raise BtfError("types that refer to each other without an end")

    def _place(self, identifier: int) -> int:
        try:
            return self._places[identifier]
        except IndexError as error:
            raise BtfError(f"no type {identifier}") from error

    def _member(self, place: int, name: str, depth: int) -> tuple[int, int] | None:
        """Find a member, also in anonymous ones: its offset in bits, and its type's place."""
        _, info = struct.unpack_from("=II", self._data, place)
        bitfields = info >> 31
        for n in range(info & 0xFFFF):
            string, target, bits = struct.unpack_from("=III", self._data, place + 12 + 12 * n)
            if bitfields:
                bits &= 0xFFFFFF
            found = self._name(string)
            if found == name:
                return bits, self._place(target)
            if not found and depth < _MAX_DEPTH:
                inner = self._inside(target, name, depth)
                if inner:
                    return bits + inner[0], inner[1]
        return None

    def _inside(self, target: int, name: str, depth: int) -> tuple[int, int] | None:
        place = self._strip(self._place(target))
        kind = struct.unpack_from("=I", self._data, place + 4)[0] >> 24 & 31
        return self._member(place, name, depth + 1) if kind in (_STRUCT, _UNION) else None

    def _name(self, string: int) -> str:
        begin = self._strings + string
        return self._data[begin : self._data.find(b"\0", begin)].decode(errors="replace")
