"""Find all functions of a library that can reach a call: a rule must name all of them."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable

from seclatch.model.syscall import load_syscalls
from seclatch.scan.analysis.library_rules import LibraryRule
from seclatch.scan.elf.relocations import SYMBOL
from seclatch.scan.ld.library_search import LoadedModule
from seclatch.scan.reach.collect_numbers import find_arch
from seclatch.scan.summary.summarize_file import FileSummary


def callers(summary: FileSummary) -> dict[int, set[int]]:
    """Map each function to those that lead to it, by calls and by data that they refer to."""
    found: dict[int, set[int]] = defaultdict(set)
    users: dict[int, set[int]] = defaultdict(set)
    for function in range(len(summary.starts)):
        for called in summary.calls(function):
            found[called].add(function)
        for used in summary.uses(function):
            users[used].add(function)
    pointed = [_pointed(summary, each) for each in range(len(summary.bounds))]
    for index in range(len(summary.bounds)):
        for holder in _holders(index, pointed):
            for function in pointed[index][0]:
                found[function] |= users[holder]
    return found


def _pointed(summary: FileSummary, index: int) -> tuple[set[int], set[int]]:
    """Return the functions and the objects that an object points to."""
    functions, objects = set(), set()
    for kind, value, _ in summary.pointers[
        summary.pointer_first[index] : summary.pointer_first[index + 1]
    ]:
        addresses = [value]
        if kind == SYMBOL:
            name = summary.symbols[value][0] if value < len(summary.symbols) else ""
            addresses = [row[2] for row in summary.exports.get(name, ())]
        for address in addresses:
            function = summary.function(address)
            functions |= {function} if function >= 0 else set()
            objects |= {summary.object(address)} if function < 0 else set()
    return functions, objects


def _holders(index: int, pointed: list[tuple[set[int], set[int]]]) -> set[int]:
    """Return the object, and those that point to it, directly or through others."""
    found, work = {index}, [index]
    while work:
        each = work.pop()
        new = {i for i, (_, objects) in enumerate(pointed) if each in objects} - found
        found |= new
        work += new
    return found


def unexplained(module: LoadedModule, rule: LibraryRule, above: dict[int, set[int]]) -> set[str]:
    """Return the exported functions nearest to a rule's calls that the rule does not name.

    `above` are the `callers` of the module's functions.
    """
    summary = module.summary
    names: dict[int, set[str]] = defaultdict(set)
    for name, rows in summary.exports.items():
        for row in rows:
            names[summary.function(row[2])].add(name)
    numbers = load_syscalls(find_arch(module)).numbers
    wanted = {numbers[each] for each in rule.syscalls if each in numbers}
    work = [f for f, made in summary.numbers.items() if wanted & set(made)]
    if rule.functions is not None:
        held = {f for f, each in names.items() if any(map(rule.functions.fullmatch, each))}
        work += {each for f in held for each in above[f]} - held
    if rule.family and rule.opened_by and rule.family.fullmatch(module.name):
        work += _asking(summary, rule.opened_by.fullmatch)
    seen, found = set(work), set[str]()
    while work:
        function = work.pop()
        unnamed = set(itertools.filterfalse(_known(rule), names[function]))
        found |= unnamed
        if not unnamed and not any(
            rule.guards and rule.guards.fullmatch(each) for each in names[function]
        ):
            # Not only from outside: the library's own functions may call it too.
            work += above[function] - seen
            seen |= above[function]
    return found


def _asking(summary: FileSummary, matches: Callable[[str], object]) -> list[int]:
    """Return the functions that import such a name: linkage stubs, mostly."""
    slots = {
        index
        for index in range(len(summary.bounds))
        for kind, value, _ in summary.pointers[
            summary.pointer_first[index] : summary.pointer_first[index + 1]
        ]
        if kind == SYMBOL
        and value < len(summary.symbols)
        and summary.symbols[value][0] not in summary.exports
        and matches(summary.symbols[value][0])
    }
    return [f for f in range(len(summary.starts)) if not slots.isdisjoint(summary.uses(f))]


def _known(rule: LibraryRule) -> Callable[[str], bool]:
    patterns = [each for each in (rule.opened_by, rule.guards) if each is not None]
    return lambda name: any(each.fullmatch(name) for each in patterns)
