"""Names that code passes to the loader: dlsym(3), dlopen(3), and notes about opened libraries."""

from __future__ import annotations

import json
import re
import struct
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from seclatch.scan.analysis.constant_arguments import FileCode
from seclatch.scan.analysis.data_objects import DataObjects
from seclatch.scan.elf import elf_file as elfs
from seclatch.scan.elf.elf_file import ElfFile
from seclatch.scan.elf.relocations import ADDRESS, SYMBOL, Relocations
from seclatch.scan.elf.symbols import SymbolTables

UNNAMED_LIBRARY = (
    "it loads a library (dlopen) by a name that is in no string: give it with --plugin"
)
UNNAMED_SYMBOL = "it looks up a function (dlsym) by a name that is in no string"

_LOOKUPS = {"dlsym", "dlvsym"}
_OPENS = {"dlopen", "dlmopen"}
_NAME = re.compile(rb"[A-Za-z_]\w{1,120}")
_LIBRARY = re.compile(rb"[\w./+-]{1,200}\.so(\.[\w.]+)?")
_TOKEN = re.compile(rb"\$(ORIGIN|LIB|PLATFORM|{(ORIGIN|LIB|PLATFORM)})")
_FDO_DLOPEN = 0x407C0C0A  # the note's type: https://systemd.io/ELF_DLOPEN_METADATA/
_CALLERS = 3


@dataclass(slots=True)
class LoaderNames:
    """Names for the loader.

    `symbols`: strings that may be names for dlsym; `libraries`: for dlopen; `noted`: libraries that
    the file's notes name; `tokens`: whether any string has one that the loader replaces in paths
    (ld.so(8), $ORIGIN); `unnamed`: (function, why) of those that call either and for which there is
    no such string.
    """

    symbols: set[str] = field(default_factory=set)
    libraries: set[str] = field(default_factory=set)
    noted: set[str] = field(default_factory=set)
    tokens: bool = False
    unnamed: list[tuple[int, str]] = field(default_factory=list)


def find_loader_names(
    elf: ElfFile,
    symbols: SymbolTables,
    relocations: Relocations,
    code: FileCode,
    divided: DataObjects,
) -> LoaderNames:
    """Return the strings referenced by functions that call the loader, and by their callers."""
    found = LoaderNames(noted=set(_read_notes(elf)), tokens=_TOKEN.search(elf.memory) is not None)
    users: _Users | None = None
    for names, pattern, kept, why in (
        (_LOOKUPS, _NAME, found.symbols, UNNAMED_SYMBOL),
        (_OPENS, _LIBRARY, found.libraries, UNNAMED_LIBRARY),
    ):
        slots = {
            p.slot
            for p in relocations.pointers
            if p.kind == SYMBOL and symbols.name(p.value) in names
        }
        if not slots:
            continue  # most files have none, and need no index
        users = users or _Users(code, divided)
        using = users.of(slots)
        kept.update(users.strings(users.closure(using, _CALLERS), pattern))
        found.unnamed += [
            (function, why)
            for function in users.direct(using)
            if not _is_named(users.strings(users.closure({function}, _CALLERS - 1), pattern))
        ]
    return found


def _is_named(strings: set[str]) -> bool:
    """Return whether there is a name; a path from the unknown working directory is none."""
    return any("/" not in string or string.startswith("/") for string in strings)


class _Users:
    """References and calls by function; functions by their index."""

    def __init__(self, code: FileCode, divided: DataObjects) -> None:
        self._code, self._divided = code, divided
        self._starts = sorted(code.found.starts)
        self._references: dict[int, list[int]] = defaultdict(list)
        self._calls: dict[int, set[int]] = defaultdict(set)
        references, transfers = code.sweep.references, code.sweep.transfers
        owners = self._owners([at for at, _ in references])
        for owner, (_, to) in zip(owners, references, strict=True):
            self._references[owner].append(to)
        owners = self._owners([at for at, _, _ in transfers])
        for owner, (_, to, _) in zip(owners, transfers, strict=True):
            self._calls[to].add(owner)

    def _owners(self, addresses: list[int]) -> list[int]:
        found = np.searchsorted(np.array(self._starts, np.int64), addresses, "right") - 1
        owners: list[int] = found.tolist()
        return owners

    def of(self, slots: set[int]) -> set[int]:
        """Return the functions that refer to one of these slots."""
        return {
            function
            for function, places in self._references.items()
            if not slots.isdisjoint(places)
        }

    def direct(self, using: set[int]) -> list[int]:
        """Return those of them that are no linkage stubs, and the callers of the stubs."""
        stubs = {function for function in using if self._code.found.in_stub(self._starts[function])}
        return sorted((using - stubs) | (self.closure(stubs, 1) - stubs))

    def closure(self, functions: set[int], levels: int) -> set[int]:
        """Return the functions and their callers, so many levels up."""
        found = set(functions)
        for _ in range(levels):
            found |= {
                caller
                for function in found
                if function >= 0
                for caller in self._calls.get(self._starts[function], ())
            }
        return found

    def strings(self, functions: set[int], pattern: re.Pattern[bytes]) -> set[str]:
        """Return the matching strings that they refer to, also by tables of names in data."""
        places = {
            to
            for function in functions
            for to in self._references.get(function, ())
            if not self._code.elf.is_code(to)
        }
        texts = {self._text(to) for to in places | self._pointed(places)}
        return {text.decode("ascii") for text in texts if pattern.fullmatch(text)}

    def _pointed(self, places: set[int]) -> set[int]:
        bounds, first = self._divided.bounds, self._divided.first
        objects = set((np.searchsorted(bounds, sorted(places), "right") - 1).tolist()) - {-1}
        return {
            pointer.value
            for index in objects
            for pointer in self._divided.pointers[first[index] : first[index + 1]]
            if pointer.kind == ADDRESS
        }

    def _text(self, to: int) -> bytes:
        elf = self._code.elf
        start = to - elf.base
        return elf.memory[start : start + 256].split(b"\0")[0] if start >= 0 else b""


def _read_notes(elf: ElfFile) -> list[str]:
    """Return the sonames in `.note.dlopen`; notes that violate its specification are skipped."""
    names: list[str] = []
    for section in elf.sections:
        if section.kind != elfs.NOTE:
            continue
        data, at = elf.contents(section), 0
        while at + 12 <= len(data):
            owner, size, kind = struct.unpack_from("<III", data, at)
            start = at + 12 + (owner + 3 & ~3)
            if kind == _FDO_DLOPEN:
                names += _read_sonames(data[start : start + size].rstrip(b"\0"))
            at = start + (size + 3 & ~3)
    return names


def _read_sonames(text: bytes) -> list[str]:
    try:
        rows = json.loads(text)
        return [name for row in rows for name in row["soname"] if isinstance(name, str)]
    except (ValueError, TypeError, KeyError, RecursionError):
        return []
