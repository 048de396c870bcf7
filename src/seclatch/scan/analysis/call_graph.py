"""The graph of one file: functions to functions, functions to data objects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seclatch.scan.analysis import jump_tables
from seclatch.scan.analysis.code_sweep import CodeSweep
from seclatch.scan.analysis.data_objects import DataObjects
from seclatch.scan.elf.elf_file import ElfFile


@dataclass(slots=True)
class EdgeLists:
    """Edges by source: `targets[first[i]:first[i + 1]]` are those of i."""

    first: list[int]
    targets: list[int]

    def of(self, source: int) -> list[int]:
        """Return the targets of one source."""
        return self.targets[self.first[source] : self.first[source + 1]]


@dataclass(slots=True)
class CallGraph:
    """`calls` lead from function to function by index, `uses` from function to data object.

    `entered` are functions to which jump tables lead or into which others fall through; `tabled`
    the addresses in those tables that lead into other functions. `taken` are functions whose
    address code takes: it may be called later by a pointer.
    """

    calls: EdgeLists
    uses: EdgeLists
    entered: set[int]
    tabled: set[int]
    taken: list[int]


def build_call_graph(
    elf: ElfFile, sweep: CodeSweep, starts: list[int], objects: DataObjects, gaps: set[int]
) -> CallGraph:
    """Build the edges from the sweep; `gaps` are starts that are guesses."""
    begins = np.array(starts, np.int64)
    transfers = _make_pairs([(at, to) for at, to, _ in sweep.transfers if elf.base <= to < elf.end])
    transfers = transfers[_in_code(elf, transfers[:, 1])]
    references = _make_pairs(
        [reference for reference in sweep.references if elf.base <= reference[1] < elf.end]
    )
    in_code = _in_code(elf, references[:, 1])
    taken = _find_owners(begins, _find_function_references(begins, references[in_code]))
    calls = [_find_owners(begins, transfers), taken]
    data = references[~in_code]
    owners = np.searchsorted(begins, data[:, 0], "right") - 1
    switched = jump_tables.find_table_edges(elf, owners, data[:, 1], objects.bounds, begins)
    into = [(f, int(np.searchsorted(begins, to, "right")) - 1) for f, to in switched]
    calls.append(_make_pairs(into))
    falls = _find_owners(begins, _make_pairs(sweep.falls))
    calls.append(falls)
    entered = {to for _, to in into} | _find_fallen_into(sweep, begins, gaps)
    uses = np.stack([owners, np.searchsorted(objects.bounds, data[:, 1], "right") - 1], 1)
    tabled = {to for _, to in switched}
    return CallGraph(
        _make_edges(np.concatenate(calls), len(starts)),
        _make_edges(uses, len(starts)),
        entered,
        tabled,
        np.unique(taken[:, 1]).tolist(),
    )


def _find_fallen_into(sweep: CodeSweep, begins: np.ndarray, gaps: set[int]) -> set[int]:
    """Return functions into which others fall through, without padding that is never executed."""
    following = {at: to for at, to in sweep.falls if at in sweep.running}
    entered = {to for at, to in following.items() if at not in gaps}
    work = [start for start in entered if start in gaps]
    while work:
        to = following.get(work.pop())
        if to is not None and to not in entered:
            entered.add(to)
            work += [to] if to in gaps else []
    return set(np.searchsorted(begins, sorted(entered)).tolist())


def _make_pairs(pairs: list[tuple[int, int]]) -> np.ndarray:
    return np.array(pairs or np.zeros((0, 2)), np.int64).reshape(-1, 2)


def _find_owners(begins: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Map addresses to the indices of their functions."""
    return np.stack([np.searchsorted(begins, column, "right") - 1 for column in pairs.T], 1)


def _in_code(elf: ElfFile, addresses: np.ndarray) -> np.ndarray:
    inside = np.zeros(len(addresses), bool)
    for low, high in elf.code:
        inside |= (addresses >= low) & (addresses < high)
    return inside


def _find_function_references(begins: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Return references to code that can be pointers to functions.

    One into the function that holds it, and not to its start, is a switch table's or a label's.
    """
    if not len(references):
        return references
    position = np.searchsorted(begins, references[:, 1])
    position[position == len(begins)] = 0
    start = begins[position] == references[:, 1]
    source = np.searchsorted(begins, references[:, 0], "right")
    other = source != np.searchsorted(begins, references[:, 1], "right")
    kept: np.ndarray = references[start | other]
    return kept


def _make_edges(pairs: np.ndarray, count: int) -> EdgeLists:
    pairs = np.unique(pairs[(pairs[:, 0] >= 0) & (pairs[:, 1] >= 0)], axis=0)
    first = np.searchsorted(pairs[:, 0], np.arange(count + 1))
    return EdgeLists(first.tolist(), pairs[:, 1].tolist())
