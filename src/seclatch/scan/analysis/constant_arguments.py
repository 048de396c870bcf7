"""Constant arguments of calls to other files' functions: some of their features depend on them.

`sysconf(_SC_PAGESIZE)` does not need what sysconf(_SC_NPROCESSORS_ONLN) needs. See
docs/decisions/0051.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from seclatch.scan.analysis.abstract_values import Atom
from seclatch.scan.analysis.code_sweep import CodeSweep
from seclatch.scan.analysis.functions import FunctionStarts
from seclatch.scan.analysis.syscall_numbers import NumberResolver, Query, SiteNumbers
from seclatch.scan.analysis.text_arguments import ANY, TextReader
from seclatch.scan.elf.elf_file import AARCH64, X86_64, ElfFile
from seclatch.scan.elf.relocations import SYMBOL, RelocatedPointer, Relocations
from seclatch.scan.elf.symbols import SymbolTables

Row = tuple[int, str, int]
"""A function, the name that it calls, and the constant or ANY; function -1: a stored pointer."""

_PREFIXES = frozenset({0x67, 0xF2, 0x3E, *range(0x40, 0x50)})


class FileCode:
    """The analysed code of a file.

    `taken` are functions to which more than calls and jumps leads: code takes their address, falls
    through into them, or has them in jump tables (`switched`, by index). `entered`: those, and the
    targets of stored pointers.
    """

    def __init__(
        self,
        elf: ElfFile,
        known: SymbolTables,
        sweep: CodeSweep,
        found: FunctionStarts,
        switched: set[int],
    ) -> None:
        self.elf, self.known, self.sweep, self.found = elf, known, sweep, found
        starts = sorted(found.starts)
        # Without relocations an address is an immediate operand too.
        self.taken = {
            to for at, to in sweep.references if at in sweep.taken or elf.position_dependent
        }
        self.switched = {starts[index] for index in switched}
        self.taken |= self.switched
        self.entered = set(self.taken)


class ImportUses:
    """Uses of other files' functions in code.

    The calls, and whether an address is taken, or stored in `slots` that are not the linker's own;
    `stubs` are those whose address is known; `words` are all slots, the linker's own too.
    """

    def __init__(
        self,
        code: FileCode,
        pointers: list[RelocatedPointer],
        written: Relocations,
        names: set[str],
    ) -> None:
        self._code, got = code, set(written.got)
        # On aarch64 code that forms the address of a page seems to use all that is on it.
        self._stubs = written.stubs if code.elf.machine == AARCH64 else set()
        self.slots: dict[str, set[int]] = {}
        self.stored: set[str] = set()
        self.words: dict[str, set[int]] = {}
        self.stubs: dict[str, set[int]] = {}
        slots: dict[int, str] = {}
        for pointer in pointers:
            if pointer.kind == SYMBOL and (name := code.known.name(pointer.value)) in names:
                slots[pointer.slot] = name
                self.words.setdefault(name, set()).add(pointer.slot)
                if pointer.slot not in got:
                    self.stored.add(name)
                    self.slots.setdefault(name, set()).add(pointer.slot)
        self.calls: dict[str, set[int]] = {}
        self.taken: dict[str, set[int]] = {}
        for at, to in code.sweep.references if slots else ():
            if to in slots and (to not in self._stubs or code.found.in_stub(at)):
                self._use(slots[to], at)

    def _use(self, name: str, at: int) -> None:
        """Note a call, or a loaded pointer, which may be called anywhere with any argument."""
        called = self._code.found.in_stub(at) or is_slot_call(self._code.elf, at)
        (self.calls if called else self.taken).setdefault(name, set()).add(at)


def make_queries(
    uses: ImportUses, name: str, code: FileCode, resolver: NumberResolver, argument: Atom
) -> set[Query]:
    """Return queries for an argument at each call; the callers of a stub are the calls."""
    asked: set[Query] = set()
    for at in uses.calls.get(name, ()):
        if code.found.in_stub(at):
            stub = resolver.start(at)
            asked |= {(caller, argument) for caller in resolver.callers(stub)}
            if stub in code.entered:
                uses.stored.add(name)
                uses.stubs.setdefault(name, set()).add(stub)
        else:
            asked.add((at, _find_before_push(code.elf, at, argument)))
    return asked


def _find_before_push(elf: ElfFile, at: int, argument: Atom) -> Atom:
    """Return an argument's name before a call by a slot, which pushes the return address."""
    if isinstance(argument, int) or argument[0] != "stack" or _is_slot_jump(elf, at):
        return argument
    return ("stack", argument[1] - 8)


@dataclass(frozen=True, slots=True)
class ArgumentPlaces:
    """Where a called function finds its arguments: in registers, then in words of the stack.

    `first`: how far above the stack pointer at entry those words begin (a return address may lie
    there). With `texts` the arguments that are asked for are texts, which it reads.
    """

    registers: list[int]
    first: int
    texts: TextReader | None = None

    def find(self, argument: int) -> Atom:
        """Return the name of an argument, by its position (from 0)."""
        if argument < len(self.registers):
            return ("in", self.registers[argument])
        return ("stack", self.first + 8 * (argument - len(self.registers)))


def find_constant_arguments(
    uses: ImportUses,
    code: FileCode,
    resolver: NumberResolver,
    wanted: Mapping[str, int],
    places: ArgumentPlaces,
) -> list[Row]:
    """Return the rows of all calls of `wanted`: names, and their argument's position (from 0).

    Where `places` has a reader of texts, the constants are kinds of texts.
    """
    rows: set[Row] = set()
    for name, argument in wanted.items():
        asked = make_queries(uses, name, code, resolver, places.find(argument))
        found = resolver.resolve(asked)
        rows |= {(f, name, kind) for f, kind in _list_values(found, places.texts)}
        rows |= {(f, name, ANY) for f, _ in found.unresolved}
        rows |= {(f, name, ANY) for f in found.wrappers if resolver.begin(f) in code.entered}
        rows |= {(resolver.function(at), name, ANY) for at in uses.taken.get(name, ())}
        if name in uses.stored:
            rows.add((-1, name, ANY))
    return sorted(rows)


def _list_values(found: SiteNumbers, texts: TextReader | None) -> Iterator[tuple[int, int]]:
    """Yield the functions and the constants in them, or the kinds of texts."""
    for function, values in found.numbers.items():
        for value in values:
            yield function, value if texts is None else texts.classify_number(value)
    for function, addresses in found.addresses.items():
        for address in addresses:
            yield function, ANY if texts is None else texts.classify(address)


def is_slot_call(elf: ElfFile, at: int) -> bool:
    """Return whether an instruction that names a slot calls or jumps to its content.

    `call *slot(%rip)` and the like (ff /2, ff /4). On aarch64 such a slot is loaded first, and the
    arguments at the time of the call are unknown there.
    """
    return _read_slot_access(elf, at) in (0x15, 0x25, 0x14, 0x24)


def _is_slot_jump(elf: ElfFile, at: int) -> bool:
    return _read_slot_access(elf, at) in (0x25, 0x24)


def _read_slot_access(elf: ElfFile, at: int) -> int:
    """Return how an instruction of the group ff addresses its operand (ModRM), 0 for others."""
    if elf.machine != X86_64:
        return 0
    text = elf.memory[at - elf.base : at - elf.base + 6]
    while text and text[0] in _PREFIXES:
        text = text[1:]
    return text[1] if len(text) > 1 and text[0] == 0xFF else 0
