"""Imports that a library needs only for features that few programs use."""

from __future__ import annotations

from seclatch.scan.analysis.library_rules import LibraryRule, load_rules
from seclatch.scan.elf.elf_file import X86_64
from seclatch.scan.elf.relocations import SYMBOL
from seclatch.scan.ld.library_search import LoadedModule
from seclatch.scan.summary.summarize_file import FileSummary

_STUB = 32
"""Bytes of a linkage stub at most (24 on aarch64, 16 on x86-64)."""


def find_withheld_imports(module: LoadedModule) -> dict[str, LibraryRule]:
    """Return the names from which rules hold a library back.

    Not one that it uses in several places, unless the rule says `anywhere`, or how many: then it is
    another version than the one for which the rule was written. Where a rule says how many, code
    that nothing reaches does not count: util-linux links functions of its programs into libraries.
    """
    rules = [
        rule
        for rule in load_rules().rules
        if rule.imports
        and rule.is_about(module.name, module.summary.machine)
        and (not rule.exports or rule.exports in module.summary.exports)
    ]
    wanted = {name: rule for rule in rules for name in rule.imports}
    if not wanted:
        return {}
    users = _find_users(module.summary, set(wanted))
    if any(rule.places > 1 for rule in rules):
        reached = _find_reached(module.summary)
        users = {name: found & reached for name, found in users.items()}
    return {
        name: rule
        for name, rule in wanted.items()
        if rule.anywhere or len(users[name]) <= rule.places
    }


def _find_reached(summary: FileSummary) -> set[int]:
    """Return the functions to which exported functions, and those that the loader calls, lead."""
    starts = {row[2] for rows in summary.exports.values() for row in rows}
    work = [(True, summary.function(at)) for at in starts | {*summary.roots}]
    work += [(False, summary.object(at)) for at in starts]
    seen = {node for node in work if node[1] >= 0}
    work = list(seen)
    while work:
        is_function, index = work.pop()
        if is_function:
            new = {(True, to) for to in summary.calls(index)}
            new |= {(False, used) for used in summary.uses(index)}
        else:
            new = _list_pointed(summary, index)
        work += new - seen
        seen |= new
    return {index for is_function, index in seen if is_function}


def _list_pointed(summary: FileSummary, index: int) -> set[tuple[bool, int]]:
    """Return the functions (True) and objects to which an object points."""
    first, last = summary.pointer_first[index], summary.pointer_first[index + 1]
    found = set()
    for kind, value, _ in summary.pointers[first:last]:
        if kind != SYMBOL:
            function = summary.function(value)
            found.add((True, function) if function >= 0 else (False, summary.object(value)))
    return {node for node in found if node[1] >= 0}


def _find_users(summary: FileSummary, names: set[str]) -> dict[str, set[int]]:
    """Map a name to the functions that refer to it, themselves or by a linkage stub."""
    objects = _find_objects(summary, names)
    pairs = [
        (used, function)
        for function in range(len(summary.starts))
        for used in summary.uses(function)
        if used in objects
    ]
    stubs = {function: used for used, function in pairs if _is_stub(summary, function)}
    callers = _find_callers(summary, set(stubs))
    # On aarch64 functions that form an address near a stub's word seem to use it; such a library
    # does not use it by other means, too. On x86-64 references are exact.
    stubbed = {used for function, used in stubs.items() if callers[function]}
    found: dict[str, set[int]] = {name: set() for name in names}
    for used, function in pairs:
        for name in objects[used]:
            if function in stubs and callers[function]:
                found[name] |= callers[function]
            elif used not in stubbed or summary.machine == X86_64:
                found[name].add(function)
    return found


def _find_callers(summary: FileSummary, stubs: set[int]) -> dict[int, set[int]]:
    found: dict[int, set[int]] = {stub: set() for stub in stubs}
    for function in range(len(summary.starts)) if stubs else ():
        for called in summary.calls(function):
            if called in stubs:
                found[called].add(function)
    return found


def _find_objects(summary: FileSummary, names: set[str]) -> dict[int, set[str]]:
    """Return the data objects that hold pointers to some of the names."""
    found: dict[int, set[str]] = {}
    for index in range(len(summary.pointer_first) - 1):
        first, last = summary.pointer_first[index], summary.pointer_first[index + 1]
        for kind, value, _ in summary.pointers[first:last]:
            if kind == SYMBOL and value < len(summary.symbols):
                name = summary.symbols[value][0]
                if name in names:
                    found.setdefault(index, set()).add(name)
    return found


def _is_stub(summary: FileSummary, function: int) -> bool:
    """Return whether a function is a linkage stub: short, unnamed, with one word of data.

    Lazy ones jump to the first of them all. A short function of the library's own that is taken for
    one counts by its callers, if it has any.
    """
    starts = summary.starts
    short = function + 1 < len(starts) and starts[function + 1] - starts[function] <= _STUB
    nameless = function not in summary.names
    plain = len(summary.calls(function)) <= 1 and len(summary.uses(function)) == 1
    return short and nameless and plain
