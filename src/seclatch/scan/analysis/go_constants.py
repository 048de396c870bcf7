"""Call numbers that Go keeps in variables: fcntl's, and those that all threads are to make.

Both are in every Go program, which would be open otherwise. `syscall` and `x/sys/unix` keep the
number of fcntl(2) in `fcntl64Syscall`, which only 32-bit programs and mips change before `main`.
The runtime's `runPerThreadSyscall` makes the call that `syscall.AllThreadsSyscall` was given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from seclatch.scan.analysis.abstract_values import Value
from seclatch.scan.elf import pclntab
from seclatch.scan.elf.elf_file import DYNSYM, SYMTAB, X86_64
from seclatch.scan.elf.relocations import SYMBOL, Relocations

if TYPE_CHECKING:
    from seclatch.scan.analysis.constant_arguments import FileCode
    from seclatch.scan.analysis.syscall_numbers import NumberResolver, SiteNumbers

_EACH_THREAD = "runtime.runPerThreadSyscall"
_ALL_THREADS = "syscall.runtime_doAllThreadsSyscall"
_FCNTL = 72
"""Its number on x86-64."""

_NAMES = frozenset({_EACH_THREAD, _ALL_THREADS})


def find_constant_words(
    code: FileCode, written: Relocations, is_load: Callable[[int], bool]
) -> Mapping[int, Value]:
    """Return the variables that hold the number of fcntl and are only read, with their value.

    `is_load` says whether the instruction at an address only reads a variable. Go's compiler forms
    no pointer to a variable but by an instruction that takes its address or a word of data that
    holds it; no table of offsets leads to one.
    """
    elf = code.elf
    if not code.found.go or elf.machine != X86_64:
        return {}
    words = np.frombuffer(elf.memory, "<u8", len(elf.memory) // 8)
    end = elf.base + 8 * len(words)
    near = [(at, to) for at, to in code.sweep.references if elf.base <= to < end]
    places = np.array(near or np.zeros((0, 2)), np.int64).reshape(-1, 2)
    places = places[places[:, 1] % 8 == elf.base % 8]
    places = places[words[(places[:, 1] - elf.base) // 8] == _FCNTL]
    pointed = _find_pointed(code, words, set(places[:, 1].tolist()))
    pointed |= {pointer.value for pointer in written.pointers if pointer.kind != SYMBOL}
    changed = {
        to
        for at, to in places.tolist()
        if elf.is_code(to) or not (is_load(at) or (at, to) in code.sweep.tabled)
    }
    kept = set(places[:, 1].tolist()) - pointed - changed
    return {to: frozenset([_FCNTL]) for to in sorted(kept)}


def _find_pointed(code: FileCode, words: np.ndarray, variables: set[int]) -> set[int]:
    """Return the variables whose address is in data; symbols have addresses of their own."""
    kept = np.ones(len(words), bool)
    for section in code.elf.sections:
        if section.kind in (DYNSYM, SYMTAB):
            low = (section.address - code.elf.base) // 8
            kept[max(low, 0) : max(low + section.size // 8 + 1, 0)] = False
    return {to for to in variables if (words[kept] == np.uint64(to)).any()}


def settle_thread_calls(
    code: FileCode,
    written: Relocations,
    resolver: NumberResolver,
    numbers: SiteNumbers,
    register: int,
) -> None:
    """Resolve the sites of `runPerThreadSyscall` by what the callers of AllThreadsSyscall pass.

    The thread that calls it makes the call first, in the runtime's function for it. A program
    without that function has nothing that sets a call.
    """
    if not code.found.go or not numbers.unresolved:
        return
    named = pclntab.find_named_functions(code.elf, written, _NAMES)
    if _EACH_THREAD not in named:
        return
    functions = {resolver.function(start) for start in named.values()}
    sites = {site for site in numbers.unresolved if site[0] in functions}
    if not sites:
        return
    if _ALL_THREADS in named:
        callers = resolver.callers(named[_ALL_THREADS])
        found = resolver.resolve({(at, ("in", register)) for at in callers})
        entered = {named[_ALL_THREADS], *map(resolver.begin, found.wrappers)} & code.entered
        if found.unresolved or entered:
            return
        for function, passed in product(functions, list(found.numbers.values())):
            numbers.numbers[function] |= passed
    numbers.unresolved -= sites
