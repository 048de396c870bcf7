"""Pointers to wrappers of system calls that code loads and calls: they are followed to the calls.

Two kinds of words hold them: the linker's slot for another file's syscall(2), and in static
programs the words of the global offset table that point to functions of the file itself.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable

from seclatch.scan.analysis.constant_arguments import FileCode, ImportUses, is_slot_call
from seclatch.scan.analysis.data_objects import DataObjects, list_table_words
from seclatch.scan.analysis.pointer_calls import PointerMachine, find_pointer_calls
from seclatch.scan.analysis.syscall_numbers import NumberResolver, Query, SiteNumbers

FunctionOf = Callable[[int], PointerMachine]


def follow_import(
    uses: ImportUses, name: str, resolver: NumberResolver, function: FunctionOf, register: int
) -> set[Query]:
    """Return queries for the calls of another file's function by a pointer that was loaded before.

    Loads that lead to such calls alone are no more among those that take its address.
    """
    found: set[Query] = set()
    loads = uses.taken.get(name, set())
    for index, group in _group_loads(resolver, loads).items():
        made = find_pointer_calls(function(index), uses.words[name], resolver.budget)
        if made is not None:
            loads -= group
            found |= {(at, ("in", register)) for at in made}
    return found


class TableWords:
    """The words of the global offset table by which a file calls its own functions."""

    def __init__(self, code: FileCode, divided: DataObjects, resolver: NumberResolver) -> None:
        self._resolver = resolver
        words = {pointer.slot: pointer.value for pointer in list_table_words(code.elf, divided)}
        self._loads: dict[int, set[int]] = defaultdict(set)
        self._slots: dict[int, set[int]] = defaultdict(set)
        for slot, value in words.items():
            self._slots[value].add(slot)
        for at, to in code.sweep.references if words else ():
            if to in words and is_slot_call(code.elf, at):
                resolver.add_caller(words[to], at, not _is_jump(code, at))
            elif to in words:
                self._loads[words[to]].add(at)

    def follow(self, numbers: SiteNumbers, function: FunctionOf) -> tuple[set[int], bool]:
        """Follow the loads of pointers to wrappers.

        Return the words from which a pointer does not go elsewhere, and whether there are callers
        that were not known before.
        """
        followed: set[int] = set()
        added = False
        for wrapper in sorted(numbers.wrappers):
            start = self._resolver.begin(wrapper)
            slots = self._slots.get(start)
            calls = self._find_calls(start, slots, function) if slots else None
            if slots and calls is not None:
                followed |= slots
                added = added or bool(calls)
                for at in calls:
                    self._resolver.add_caller(start, at, True)
        return followed, added

    def _find_calls(self, start: int, slots: set[int], function: FunctionOf) -> set[int] | None:
        found: set[int] = set()
        for index in _group_loads(self._resolver, self._loads.get(start, set())):
            made = find_pointer_calls(function(index), slots, self._resolver.budget)
            if made is None:
                return None
            found |= made
        return found


def find_followed_objects(divided: DataObjects, followed: set[int]) -> list[int]:
    """Return the data objects that are such words."""
    bounds = divided.bounds.tolist()
    return sorted(bisect_right(bounds, slot) - 1 for slot in followed)


def _group_loads(resolver: NumberResolver, loads: set[int]) -> dict[int, set[int]]:
    found: dict[int, set[int]] = defaultdict(set)
    for at in loads:
        found[resolver.function(at)].add(at)
    return found


def _is_jump(code: FileCode, at: int) -> bool:
    text = code.elf.memory[at - code.elf.base : at - code.elf.base + 6]
    return 0xFF in text and text[text.index(0xFF) + 1] in (0x25, 0x24)
