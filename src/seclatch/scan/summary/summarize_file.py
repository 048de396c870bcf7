"""Summarise one ELF file: enough to link it with others and to follow what is reachable."""

from __future__ import annotations

from bisect import bisect_right

import msgspec
import numpy as np

from seclatch.scan.analysis import (
    call_graph,
    data_objects,
    dlsym_names,
    functions,
    jump_tables,
    static_glibc,
)
from seclatch.scan.analysis.code_sweep import CodeSweep
from seclatch.scan.analysis.code_sweep import CodeSweeper as SweeperType
from seclatch.scan.analysis.constant_arguments import FileCode
from seclatch.scan.analysis.data_objects import DataObjects
from seclatch.scan.elf import elf_file as elfs
from seclatch.scan.elf import relocations, symbols
from seclatch.scan.elf.elf_file import X86_64, ElfError, ElfFile
from seclatch.scan.elf.relocations import SYMBOL
from seclatch.scan.summary import call_sites

_PASSES = 64
"""Compiled code converges in two to five."""

_CHARSET_PATH = b"GCONV_PA"
"""A text on the stack may be in the code, eight bytes an instruction."""

Row = tuple[str, bool, int, bool]


class FileSummary(msgspec.Struct, array_like=True):
    """One file. Functions and data objects are numbered; `starts` and `bounds` are their starts.

    Edges are stored by source as in `call_graph.EdgeLists`. `pointers` are (kind, value, addend),
    those of object i at `pointer_first[i]` to `[i + 1]`. `roots` are addresses that the loader
    calls, `root_symbols` such by name. `exports` are as `symbols.SymbolExport`, in order.
    `arguments` are as `constant_arguments.Row`, `passed` as `passed_values.Row`; `stored` are the
    objects that hold a pointer to syscall(2), `followed` those whose pointers to wrappers are
    followed to their calls; `threads` those that are copied for each thread.
    `services` are a static program's built-in name services; None: it uses none, or is not static.
    `taken` are functions whose address code takes. `charset_path`: the file names $GCONV_PATH.
    """

    identity: str
    machine: int
    base: int
    end: int
    entry: int
    interpreter: str
    soname: str
    needed: list[str]
    audit: list[str]
    rpath: list[str]
    runpath: list[str]
    code: list[tuple[int, int]]
    starts: list[int]
    bounds: list[int]
    call_first: list[int]
    call_targets: list[int]
    use_first: list[int]
    use_targets: list[int]
    pointers: list[tuple[int, int, int]]
    pointer_first: list[int]
    resolvers: list[int]
    symbols: list[tuple[str, str]]
    exports: dict[str, list[Row]]
    names: dict[int, str]
    numbers: dict[int, list[int]]
    unresolved: list[tuple[int, int]]
    wrappers: list[int]
    arguments: list[tuple[int, str, int]]
    passed: list[tuple[int, str, int]]
    stored: list[int]
    followed: list[int]
    threads: list[int]
    foreign: list[tuple[int, int]]
    roots: list[int]
    root_symbols: list[tuple[str, str]]
    looked_up: list[str]
    opened: list[str]
    noted: list[str]
    tokens: bool
    unnamed: list[tuple[int, str]]
    services: list[str] | None
    go: bool
    taken: list[int]
    charset_path: bool

    def function(self, address: int) -> int:
        """Return the function at an address, or -1."""
        index = bisect_right(self.code, (address, 1 << 64)) - 1
        if index < 0 or address >= self.code[index][1]:
            return -1
        return bisect_right(self.starts, address) - 1

    def calls(self, function: int) -> list[int]:
        """Return the functions to which a function leads."""
        return self.call_targets[self.call_first[function] : self.call_first[function + 1]]

    def uses(self, function: int) -> list[int]:
        """Return the objects to which a function refers."""
        return self.use_targets[self.use_first[function] : self.use_first[function + 1]]

    def object(self, address: int) -> int:
        """Return the data object at an address, or -1."""
        if not self.base <= address <= self.end:
            return -1
        return bisect_right(self.bounds, address) - 1


def summarize_file(data: bytes) -> FileSummary:
    """Analyse a file's contents. Raises ElfError."""
    elf = elfs.parse_elf(data)
    known = symbols.read_symbols(elf)
    written = relocations.read_relocations(elf)
    found = functions.find_functions(elf, known, written)
    starts, sweep = _sweep_until_stable(elf, found)
    tabled = jump_tables.find_table_pointers(elf, sweep)
    sweep.references += tabled
    sweep.tabled.update(tabled)
    divided = data_objects.divide_objects(elf, known, written, sweep, starts)
    reached = call_graph.build_call_graph(elf, sweep, starts, divided, found.gaps)
    code = FileCode(elf, known, sweep, found, reached.entered)
    constants = call_sites.find_site_constants(code, divided, written, reached.tabled)
    numbers = constants.numbers
    asked = dlsym_names.find_loader_names(elf, known, written, code, divided)
    roots, root_symbols = _find_roots(elf, known, divided)
    owner = {at: bisect_right(starts, at) - 1 for at in sweep.foreign}
    return FileSummary(
        identity=elf.identity,
        machine=elf.machine,
        base=elf.base,
        end=elf.end,
        entry=elf.entry,
        interpreter=elf.interpreter,
        soname=next(iter(elf.strings(elfs.DT_SONAME)), ""),
        needed=elf.strings(elfs.DT_NEEDED),
        audit=elf.strings(elfs.DT_AUDIT) + elf.strings(elfs.DT_DEPAUDIT),
        rpath=elf.strings(elfs.DT_RPATH),
        runpath=elf.strings(elfs.DT_RUNPATH),
        code=elf.code,
        starts=starts,
        bounds=divided.bounds.tolist(),
        call_first=reached.calls.first,
        call_targets=reached.calls.targets,
        use_first=reached.uses.first,
        use_targets=reached.uses.targets,
        pointers=[(pointer.kind, pointer.value, pointer.addend) for pointer in divided.pointers],
        pointer_first=divided.first,
        resolvers=[
            pointer.value for pointer in written.pointers if pointer.kind == relocations.IFUNC
        ],
        symbols=known.table,
        exports={
            name: [(e.version, e.default, e.address, e.ifunc) for e in rows]
            for name, rows in known.exports.items()
        },
        names=_index_names(known, starts),
        numbers={f: sorted(n) for f, n in sorted(numbers.numbers.items())},
        unresolved=sorted(numbers.unresolved),
        wrappers=sorted(numbers.wrappers),
        arguments=constants.arguments,
        passed=constants.passed,
        stored=constants.stored,
        followed=constants.followed,
        threads=_find_thread_objects(elf, divided),
        foreign=[(function, at) for at, function in owner.items()],
        roots=roots,
        root_symbols=root_symbols,
        looked_up=sorted(asked.symbols),
        opened=sorted(asked.libraries),
        noted=sorted(asked.noted),
        tokens=asked.tokens,
        unnamed=[
            *asked.unnamed,
            *(
                (function, static_glibc.LOADED)
                for function in static_glibc.find_dlopen_callers(code)
            ),
        ],
        services=static_glibc.find_builtin_services(elf),
        go=found.go,
        taken=reached.taken,
        charset_path=_CHARSET_PATH in data,
    )


def _sweep_until_stable(
    elf: ElfFile, found: functions.FunctionStarts
) -> tuple[list[int], CodeSweep]:
    """Sweep the code until it shows no further start of a function (mostly at once)."""
    sweeper = _make_sweeper(elf, found)
    starts = sorted(found.starts)
    for _ in range(_PASSES):
        sweep = sweeper.sweep(starts)
        refined = functions.refine_starts(elf, found, sweep)
        if refined == starts:
            if elf.machine == X86_64:
                from seclatch.scan.x86.x86_sweep import add_overlapping_sites

                add_overlapping_sites(elf, sweep, starts)
            return starts, sweep
        starts = refined
    raise ElfError("its code has other functions each time it is decoded")


def _make_sweeper(elf: ElfFile, found: functions.FunctionStarts) -> SweeperType:
    if elf.machine == X86_64:
        from seclatch.scan.x86.x86_sweep import X86Sweeper

        return X86Sweeper(elf, found)
    from seclatch.scan.a64.a64_sweep import A64Sweeper as Sweeper64

    return Sweeper64(elf, found)


def _index_names(known: symbols.SymbolTables, starts: list[int]) -> dict[int, str]:
    index = {address: i for i, address in enumerate(starts)}
    return {index[a]: name for a, name in known.names.items() if a in index}


def _find_thread_objects(elf: ElfFile, divided: DataObjects) -> list[int]:
    """Return the objects in thread-local storage.

    Code reaches them by the thread pointer, and no instruction names where their copy begins.
    """
    first, last = np.searchsorted(divided.bounds, elf.threads).tolist()
    return list(range(first, last))


def _find_roots(
    elf: ElfFile, known: symbols.SymbolTables, divided: DataObjects
) -> tuple[list[int], list[tuple[str, str]]]:
    """Return what the loader calls: DT_INIT, DT_FINI, and the arrays (entries may be symbols)."""
    roots = [
        address for tag in (elfs.DT_INIT, elfs.DT_FINI) for address in elf.dynamic.get(tag, [])
    ]
    names: list[tuple[str, str]] = []
    for tag, size in (
        (elfs.DT_INIT_ARRAY, elfs.DT_INIT_ARRAYSZ),
        (elfs.DT_FINI_ARRAY, elfs.DT_FINI_ARRAYSZ),
        (elfs.DT_PREINIT_ARRAY, elfs.DT_PREINIT_ARRAYSZ),
    ):
        start, length = elf.first(tag), elf.first(size)
        if start is None or length is None:
            continue
        for pointer in divided.pointers:
            if not start <= pointer.slot < start + length:
                continue
            if pointer.kind != SYMBOL:
                roots.append(pointer.value)
            elif pointer.value < len(known.table):
                names.append(known.table[pointer.value])
    return roots, names
