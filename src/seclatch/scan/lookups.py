"""Names that code hands to the loader: dlsym(3), dlopen(3), and notes that say what is opened."""

from __future__ import annotations

import json
import re
import struct
from bisect import bisect_right
from dataclasses import dataclass, field

from seclatch.scan import elf as elfs
from seclatch.scan.elf import Elf
from seclatch.scan.relocations import SYMBOL, Relocations
from seclatch.scan.sweep import Sweep
from seclatch.scan.symbols import Symbols

_LOOKUPS = {"dlsym", "dlvsym"}
_OPENS = {"dlopen", "dlmopen"}
_NAME = re.compile(rb"[A-Za-z_]\w{1,120}")
_LIBRARY = re.compile(rb"[\w./+-]{1,200}\.so(\.[\w.]+)?")
_TOKEN = re.compile(rb"\$(ORIGIN|LIB|PLATFORM|{(ORIGIN|LIB|PLATFORM)})")
_FDO_DLOPEN = 0x407C0C0A  # the note's type: https://systemd.io/ELF_DLOPEN_METADATA/
_CALLERS = 3


@dataclass(slots=True)
class Lookups:
    """`symbols`: strings that may be names for dlsym; `libraries`: for dlopen; `noted`: libraries
    that the file's notes say it opens; `tokens`: whether any string has one that the loader
    replaces in paths (ld.so(8), $ORIGIN)."""

    symbols: set[str] = field(default_factory=set)
    libraries: set[str] = field(default_factory=set)
    noted: set[str] = field(default_factory=set)
    tokens: bool = False


def find(
    elf: Elf, symbols: Symbols, relocations: Relocations, sweep: Sweep, starts: list[int]
) -> Lookups:
    """The strings referenced by functions that call the loader, and by those that call them."""

    def strings(names: set[str], pattern: re.Pattern[bytes]) -> set[str]:
        slots = {p.slot for p in relocations.pointers
                 if p.kind == SYMBOL and symbols.name(p.value) in names}  # fmt: skip
        users = _users(sweep, starts, slots) if slots else set()
        return _strings(elf, sweep, users, starts, pattern) if users else set()

    return Lookups(
        strings(_LOOKUPS, _NAME), strings(_OPENS, _LIBRARY), set(_notes(elf)),
        _TOKEN.search(elf.memory) is not None,
    )  # fmt: skip


def _users(sweep: Sweep, starts: list[int], slots: set[int]) -> set[int]:
    """Functions that use these slots, directly or through up to three callers."""
    functions = {bisect_right(starts, at) - 1 for at, to in sweep.references if to in slots}
    for _ in range(_CALLERS):
        entries = {starts[each] for each in functions if each >= 0}
        functions |= {
            bisect_right(starts, at) - 1 for at, to, _ in sweep.transfers if to in entries
        }
    return functions


def _strings(
    elf: Elf, sweep: Sweep, functions: set[int], starts: list[int], pattern: re.Pattern[bytes]
) -> set[str]:
    found = set()
    for at, to in sweep.references:
        if bisect_right(starts, at) - 1 in functions and not elf.is_code(to):
            start = to - elf.base
            text = elf.memory[start : start + 256].split(b"\0")[0] if start >= 0 else b""
            if pattern.fullmatch(text):
                found.add(text.decode("ascii"))
    return found


def _notes(elf: Elf) -> list[str]:
    """The sonames of `.note.dlopen`; a note that is not as its specification says is skipped."""
    names: list[str] = []
    for section in elf.sections:
        if section.kind != elfs.NOTE:
            continue
        data, at = elf.contents(section), 0
        while at + 12 <= len(data):
            owner, size, kind = struct.unpack_from("<III", data, at)
            start = at + 12 + (owner + 3 & ~3)
            if kind == _FDO_DLOPEN:
                names += _sonames(data[start : start + size].rstrip(b"\0"))
            at = start + (size + 3 & ~3)
    return names


def _sonames(text: bytes) -> list[str]:
    try:
        rows = json.loads(text)
        return [name for row in rows for name in row["soname"] if isinstance(name, str)]
    except (ValueError, TypeError, KeyError, RecursionError):
        return []
