"""Collect the call numbers of all reached code, with the known sites of libraries."""

from __future__ import annotations

from collections.abc import Iterable

from seclatch.model.arch import Arch
from seclatch.model.syscall import load_syscalls
from seclatch.scan.analysis.library_rules import load_rules
from seclatch.scan.elf.elf_file import X86_64
from seclatch.scan.ld.library_search import LoadedModule
from seclatch.scan.ld.linker import LinkedProgram
from seclatch.scan.reach.reachability import FUNCTION, STORED, ReachedCode

_MOST = 1024
"""Below it, a number that no table has is a call of a future kernel."""

_NO_CALL = "it makes call {}, which no table has"
_NOT_CONSTANT = "its number is not a constant"


def collect_numbers(program: LinkedProgram, reached: ReachedCode) -> ReachedCode:
    """Fill in the sites of reached code, and the unresolved ones."""
    for index, module in enumerate(program.modules):
        shut = _find_held_numbers(program, reached, module)
        known = load_syscalls(find_arch(module)).names
        for function, numbers in module.summary.numbers.items():
            if (index, FUNCTION, function) in reached.origins:
                for number in set(numbers) - shut:
                    reached.sites[number].append((index, function))
                    if number >= _MOST and number not in known:
                        at = module.summary.starts[function]
                        reached.unresolved.add((index, function, at, _NO_CALL.format(number)))
        _add_unresolved(reached, index, module)
    if not program.configured:
        _add_unnamed(program, reached)
    _settle_known(program, reached)
    return reached


def _add_unresolved(reached: ReachedCode, index: int, module: LoadedModule) -> None:
    rows: list[tuple[Iterable[tuple[int, int]], str]] = [
        (module.summary.unresolved, _NOT_CONSTANT),
        (module.summary.foreign, "a 32-bit call (int 0x80, sysenter)"),
    ]
    for sites, why in rows:
        for function, address in sites:
            if (index, FUNCTION, function) in reached.origins:
                reached.unresolved.add((index, function, address, why))


def _add_unnamed(program: LinkedProgram, reached: ReachedCode) -> None:
    """Add what the program itself loads or looks up by computed names: it is unknown.

    For its libraries that is a note (`scan_program`): a library that does so serves very many
    programs.
    """
    summary = program.modules[0].summary
    for function, why in summary.unnamed:
        if (0, FUNCTION, function) in reached.origins:
            reached.unresolved.add((0, function, summary.starts[function], why))


def _settle_known(program: LinkedProgram, reached: ReachedCode) -> None:
    """Resolve the sites that the library rules know."""
    unresolved = frozenset(reached.unresolved)  # rows do not see each other's changes
    for index, module in enumerate(program.modules):
        numbers = load_syscalls(find_arch(module)).numbers
        for row in load_rules().known:
            if not row.is_about(module.name, module.summary.machine):
                continue
            known = row.among(module.summary.names)
            sites = {
                site
                for site in unresolved
                if site[0] == index and known(site[1]) and (site[3] == STORED) == row.stored
            }
            if not 0 < len(sites) <= row.most:
                continue
            reached.unresolved -= sites
            if row.asked is not None and not any(
                map(row.asked.fullmatch, reached.rule_state.asked)
            ):
                continue
            for name in row.syscalls:
                reached.sites[numbers[name]] += [(m, f) for m, f, _, _ in sorted(sites)]


def _find_held_numbers(
    program: LinkedProgram, reached: ReachedCode, module: LoadedModule
) -> set[int]:
    """Return the numbers that a library does not make for this program."""
    if module is program.modules[0]:
        return set()
    names = {
        name
        for rule in load_rules().rules
        if rule.is_about(module.name, module.summary.machine)
        and not reached.rule_state.is_open(rule, module)
        for name in rule.syscalls
    }
    numbers = load_syscalls(find_arch(module)).numbers
    return {numbers[name] for name in names if name in numbers}


def find_arch(module: LoadedModule) -> Arch:
    """Return the architecture of a file."""
    return Arch.X86_64 if module.summary.machine == X86_64 else Arch.AARCH64
