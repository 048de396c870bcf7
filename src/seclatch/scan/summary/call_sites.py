"""Constants that a file's code passes: numbers of system calls, arguments of functions."""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from seclatch.scan.analysis import constant_arguments as arguments
from seclatch.scan.analysis import (
    glibc_signals,
    go_constants,
    jump_tables,
    library_rules,
    passed_values,
    syscall_numbers,
)
from seclatch.scan.analysis.abstract_values import Value
from seclatch.scan.analysis.data_objects import DataObjects
from seclatch.scan.analysis.dataflow import FlowFacts
from seclatch.scan.analysis.functions import find_address_words
from seclatch.scan.analysis.pointer_calls import PointerMachine
from seclatch.scan.analysis.text_arguments import TextReader
from seclatch.scan.elf import eh_frame
from seclatch.scan.elf.elf_file import AARCH64, X86_64
from seclatch.scan.elf.relocations import SYMBOL, Relocations
from seclatch.scan.elf.symbols import SymbolTables
from seclatch.scan.summary import followed_pointers

_SYSCALL = "syscall"


@dataclass(frozen=True, slots=True)
class SiteConstants:
    """The numbers of system calls, the rows of `constant_arguments` and of `passed_values`.

    `stored` are the data objects in which a pointer to syscall(2) is stored; `followed` those whose
    pointers are followed to the calls.
    """

    numbers: syscall_numbers.SiteNumbers
    arguments: list[arguments.Row]
    passed: list[passed_values.Row]
    stored: list[int]
    followed: list[int]


def find_site_constants(
    code: arguments.FileCode, divided: DataObjects, written: Relocations, tabled: set[int]
) -> SiteConstants:
    """Resolve the number of each site and each call of the C library's syscall(2).

    And the arguments on which rules depend. `tabled`: where jump tables lead from other functions.
    """
    starts = sorted(code.found.starts)
    stored = _find_stored_addresses(code, divided)
    compared = glibc_signals.find_compared_pointers(code, stored)
    others = {to for _, to in stored - compared}
    # The linker's words may have been read as a table.
    entered = _find_entered_addresses(code, others, tabled - ({to for _, to in compared} - others))
    machine = _Machines(code, starts, divided, entered)
    machine.words = go_constants.find_constant_words(code, written, machine.is_load)
    resolver = machine.resolver()
    code.entered |= _find_known_addresses(code.known, divided)
    wanted = library_rules.load_rules().arguments
    uses = arguments.ImportUses(
        code, divided.pointers, written, {_SYSCALL, *wanted, *passed_values.FUNCTIONS}
    )
    queries: set[syscall_numbers.Query] = {(at, ("in", machine.number)) for at in code.sweep.sites}
    named = arguments.make_queries(uses, _SYSCALL, code, resolver, machine.places.find(0))
    named |= followed_pointers.follow_import(
        uses, _SYSCALL, resolver, machine.exact_function, machine.arguments[0]
    )
    queries |= named
    words = followed_pointers.TableWords(code, divided, resolver)
    numbers = resolver.resolve(queries)
    followed, added = words.follow(numbers, machine.exact_function)
    numbers = resolver.resolve(queries) if added else numbers
    machine.settled = glibc_signals.find_senders(code, resolver, numbers, machine.registers)
    if machine.settled:
        resolver = machine.resolver(resolver.added)
        numbers = resolver.resolve(queries)
        glibc_signals.drop_handler_sites(code, resolver, numbers)
    go_constants.settle_thread_calls(code, written, resolver, numbers, machine.passed_by_go)
    if compared:
        led = {resolver.function(to) for to in others if code.elf.is_code(to)}
        numbers.wrappers -= {resolver.function(to) for _, to in compared} - led
    _mark_open_wrappers(code, resolver, numbers, uses)
    slots = np.searchsorted(divided.bounds, sorted(uses.slots.get(_SYSCALL, ())), "right") - 1
    texts = {name: wanted[name] for name in library_rules.load_rules().texts}
    constants = {name: wanted[name] for name in wanted.keys() - texts.keys()}
    found = arguments.find_constant_arguments(uses, code, resolver, constants, machine.places)
    second = library_rules.load_rules().second
    rows = arguments.find_constant_arguments(uses, code, resolver, second, machine.places)
    found += [(function, library_rules.name_second(name), value) for function, name, value in rows]
    followed_texts = machine.resolver(resolver.added, texts=True)
    found += arguments.find_constant_arguments(
        uses, code, followed_texts, texts, replace(machine.places, texts=TextReader(code.elf))
    )
    passed = passed_values.PassedValues(
        code, resolver, machine.places, machine.number, {to for _, to in stored}
    ).find(uses, code.sweep.sites, named)
    objects = followed_pointers.find_followed_objects(divided, followed)
    return SiteConstants(numbers, found, passed, slots.tolist(), objects)


def _mark_open_wrappers(
    code: arguments.FileCode,
    resolver: syscall_numbers.NumberResolver,
    numbers: syscall_numbers.SiteNumbers,
    uses: arguments.ImportUses,
) -> None:
    """Mark a wrapper whose address code takes: it may be called with any number from anywhere.

    One whose address is stored counts when the object that holds it is reached (`reach`).
    """
    for wrapper in numbers.wrappers:
        start = resolver.begin(wrapper)
        if start in code.taken and not glibc_signals.is_only_compared(code, resolver, start):
            numbers.unresolved.add((wrapper, start))
    for at in (*uses.taken.get(_SYSCALL, ()), *uses.stubs.get(_SYSCALL, ())):
        numbers.unresolved.add((resolver.function(at), at))


def _find_stored_addresses(
    code: arguments.FileCode, divided: DataObjects
) -> set[glibc_signals.Pointer]:
    """Return the words of data that may be addresses of code, by slot."""
    stored = {
        (pointer.slot, pointer.value) for pointer in divided.pointers if pointer.kind != SYMBOL
    }
    if code.elf.position_dependent:
        slots, values = find_address_words(code.elf)
        stored |= set(zip(slots.tolist(), values.tolist(), strict=True))
    return stored


def _find_entered_addresses(
    code: arguments.FileCode, stored: set[int], tabled: set[int]
) -> list[tuple[int, bool]]:
    """Return addresses within functions to which more than their own jumps leads, sorted.

    True for those that are only stored: maybe in a table of the function itself.
    """
    sweep, whole = code.sweep, code.elf.position_dependent and code.elf.machine == X86_64
    found = {to for _, to, _ in sweep.transfers} | tabled
    found |= {to for at, to in sweep.references if whole or at in sweep.taken}
    inside = {to for to in found | stored if whole or to % 4 == 0 or code.elf.machine == X86_64}
    inside -= code.found.starts
    return [(address, address not in found) for address in sorted(inside)]


def _find_known_addresses(known: SymbolTables, divided: DataObjects) -> set[int]:
    """Return the addresses that other files may know: exported, or stored."""
    found = {pointer.value for pointer in divided.pointers if pointer.kind != SYMBOL}
    return found | {row.address for rows in known.exports.values() for row in rows}


def _is_no_load(_at: int) -> bool:
    return False


class _Machines:
    """Makes the machine of a function; has the registers of the system call convention."""

    def __init__(
        self,
        code: arguments.FileCode,
        starts: list[int],
        divided: DataObjects,
        entered: list[tuple[int, bool]],
    ) -> None:
        elf, sweep = code.elf, code.sweep
        self._elf, self._sweep, self._starts, self._entered = elf, sweep, starts, entered
        self._handlers = code.found.handlers
        self._bounds = divided.bounds
        self.settled: set[int] = set()
        self.words: Mapping[int, Value] = {}
        self._at = np.array([at for at, _ in sweep.references], np.int64)
        self._order = np.argsort(self._at, kind="stable")
        self._sorted = self._at[self._order]
        if elf.machine == X86_64:
            from seclatch.scan.x86 import x86_flow

            self.number, self.stack = int(x86_flow.RAX), int(x86_flow.RSP)
            self.arguments = [int(register) for register in x86_flow.ARGUMENTS]
            self.pushes = True
            self.is_load: Callable[[int], bool] = partial(x86_flow.is_plain_load, elf)
        else:
            self.number, self.stack, self.pushes = 8, 31, False
            self.arguments = list(range(8))
            self.is_load = _is_no_load
        self.places = arguments.ArgumentPlaces(self.arguments, 8 if self.pushes else 0)
        self.passed_by_go = self.number if self.pushes else self.arguments[0]
        self.registers = glibc_signals.CallRegisters(self.number, self.arguments[2])

    def resolver(
        self, added: Iterable[syscall_numbers.PointerCall] = (), *, texts: bool = False
    ) -> syscall_numbers.NumberResolver:
        """Return a resolver of the file's numbers, with calls by pointers that are `added`.

        `texts`: the addresses of data are values, too.
        """
        machine = self.text_function if texts else self.function
        made = syscall_numbers.NumberResolver(
            self._starts, self._sweep, machine, self.stack, self.pushes
        )
        for call in added:
            made.add_caller(*call)
        return made

    def function(self, index: int) -> PointerMachine:
        """Decode a function."""
        return self._decode(index)

    def exact_function(self, index: int) -> PointerMachine:
        """Decode a function; tell jump tables apart."""
        return self._decode(index, exact=True)

    def text_function(self, index: int) -> PointerMachine:
        """Decode a function; follow the addresses of data."""
        return self._decode(index, addresses=True)

    def _decode(
        self, index: int, *, exact: bool = False, addresses: bool = False
    ) -> PointerMachine:
        start = self._starts[index]
        stop = self._starts[index + 1] if index + 1 < len(self._starts) else self._elf.end
        stop = min([stop, *(high for low, high in self._elf.code if low <= start < high)])
        code = self._elf.memory[start - self._elf.base : stop - self._elf.base]
        tables = self._list_switch_targets(start, stop)
        switch = [to for table in tables.values() for to in table]
        sweep, entered = self._sweep, self._list_entered(start, stop, {*switch})
        caught = start in self._handlers
        labels = self._list_labels(start, stop)
        if labels and self._elf.machine == AARCH64:
            labels, switch = self._read_small_tables(code, start, entered, switch, labels)
        settled = index in self.settled
        at = self._handlers.get(start, 0)
        facts = FlowFacts(
            sweep.endless,
            sweep.twice,
            switch,
            entered,
            caught,
            bool(labels),
            settled,
            self.words,
            eh_frame.read_landing_pads(self._elf, start, at) if at else None,
            tables if exact else {},
            addresses,
        )
        if self._elf.machine == AARCH64:
            from seclatch.scan.a64 import a64_flow

            return a64_flow.A64Function(code, start, facts)
        from seclatch.scan.x86 import x86_flow

        return x86_flow.X86Function(code, start, facts)

    def _read_small_tables(
        self, code: bytes, start: int, entered: list[int], switch: list[int], labels: set[int]
    ) -> tuple[set[int], list[int]]:
        """Return the labels to which a jump may lead from anywhere, and where its tables lead.

        A label whose address is taken for something else than a table may be jumped to by other
        code, as by longjmp(3) of GCC's own kind.
        """
        from seclatch.scan.a64.a64_tables import find_jump_targets

        words = struct.unpack(f"<{len(code) // 4}I", code[: len(code) // 4 * 4])
        found = find_jump_targets(words, start, entered, self._read_object)
        if found is None:
            return labels, switch
        return labels - found.labels, sorted({*switch, *found.targets})

    def _read_object(self, address: int) -> bytes:
        """Return the bytes of the data object at an address, as far as the file has them."""
        index = int(np.searchsorted(self._bounds, address, "right"))
        base = self._elf.base
        end = int(self._bounds[index]) if index < len(self._bounds) else self._elf.end
        return self._elf.memory[address - base : end - base] if address >= base else b""

    def _list_entered(self, start: int, stop: int, switch: set[int]) -> list[int]:
        low, high = (bisect_left(self._entered, (bound, False)) for bound in (start, stop))
        rows = self._entered[low:high]
        return [at for at, stored in rows if not stored or at not in switch]

    def _list_labels(self, start: int, stop: int) -> set[int]:
        """List the addresses within a function that it takes itself."""
        low, high = np.searchsorted(self._sorted, [start, stop])
        taken = {self._sweep.references[position][1] for position in self._order[low:high].tolist()}
        return {address for address in taken if start < address < stop}

    def _list_switch_targets(self, start: int, stop: int) -> dict[int, list[int]]:
        """Return where the jump tables lead to which the function refers, by their addresses."""
        low, high = np.searchsorted(self._sorted, [start, stop])
        limits = self._bounds
        found: dict[int, list[int]] = {}
        for position in self._order[low:high].tolist():
            to = self._sweep.references[position][1]
            filled = self._elf.base + len(self._elf.memory) - 16
            if to % 4 or not self._elf.base <= to < filled - 8 or self._elf.is_code(to):
                continue
            index = int(np.searchsorted(limits, to, "right"))
            end = min(int(limits[index]) if index < len(limits) else filled, filled)
            found[to] = jump_tables.read_table_entries(self._elf, to, end).tolist()
        return found
