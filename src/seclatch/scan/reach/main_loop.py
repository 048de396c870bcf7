"""Find what a program can call from its main loop on, when its start is over.

Reached are the loop and all functions and data whose address the program has taken anywhere: boot
code stores handlers that the loop calls. What only the start calls directly is left out, and
what main() does after the loop. What the start asks libraries for holds in the loop too: its
threads and its attributes of processes are still there.

See docs/decisions/0135-scan-from-the-main-loop.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from seclatch.model.syscall import load_syscalls
from seclatch.scan.elf.relocations import SYMBOL
from seclatch.scan.ld.linker import LinkedProgram
from seclatch.scan.reach.collect_numbers import collect_numbers, find_arch
from seclatch.scan.reach.reachability import (
    FUNCTION,
    OBJECT,
    Node,
    ReachabilityWalk,
    ReachedCode,
)


def find_loop_calls(
    program: LinkedProgram, reached: ReachedCode, symbol: str
) -> tuple[str, ...] | None:
    """Return the names of the calls; None where no file of the program has the function.

    `reached`: all that the program can reach. All its modules must have been added.
    """
    loop = tuple(_find_functions(program, symbol))
    if not loop:
        return None
    nodes = (*loop, *_list_taken(program, reached), *_list_data(program, reached))
    walk = ReachabilityWalk(program, nodes)
    walk.rule_state.take_over(reached.rule_state)
    found = collect_numbers(program, walk.follow())
    names = load_syscalls(find_arch(program.modules[0])).names
    return tuple(sorted(names[number] for number in found.sites if number in names))


def _find_functions(program: LinkedProgram, symbol: str) -> Iterator[Node]:
    for index, module in enumerate(program.modules):
        summary = module.summary
        exported = {summary.function(row[2]) for row in summary.exports.get(symbol, ())}
        named = {function for function, name in summary.names.items() if name == symbol}
        yield from ((index, FUNCTION, each) for each in sorted(exported | named) if each >= 0)


def _list_taken(program: LinkedProgram, reached: ReachedCode) -> Iterator[Node]:
    """Yield reached functions whose address is taken; the entry takes only that of main()."""
    for index, module in enumerate(program.modules):
        summary = module.summary
        taken = set(summary.taken)
        if index == 0 and summary.entry:
            taken -= set(summary.calls(summary.function(summary.entry)))
        if module is not program.interpreter:
            nodes = ((index, FUNCTION, each) for each in sorted(taken))
            yield from (node for node in nodes if node in reached.origins)


def _list_data(program: LinkedProgram, reached: ReachedCode) -> Iterator[Node]:
    """Yield the data objects, but for the linker's slots, by which functions call others."""
    for node in reached.origins:
        module, kind, index = node
        found = program.modules[module]
        if kind != OBJECT or found is program.interpreter:
            continue
        first, last = found.summary.pointer_first[index], found.summary.pointer_first[index + 1]
        pointers = found.summary.pointers[first:last]
        if len(pointers) != 1 or pointers[0][0] != SYMBOL:
            yield node
