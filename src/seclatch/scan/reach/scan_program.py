"""Scan one program: load its libraries and plugins, follow them, name the reachable calls."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from seclatch.model.scan import CallChain, ScannedProgram, UnresolvedCall
from seclatch.model.syscall import load_syscalls
from seclatch.scan.analysis.dlsym_names import UNNAMED_LIBRARY
from seclatch.scan.analysis.library_rules import OLDEST, Version
from seclatch.scan.elf.elf_file import AARCH64
from seclatch.scan.image.rootfs_reader import Rootfs
from seclatch.scan.image.scan_target import ScanTarget
from seclatch.scan.ld import gconv_modules, linker, pam_modules, plugins
from seclatch.scan.reach.collect_arguments import collect_arguments
from seclatch.scan.reach.collect_numbers import collect_numbers, find_arch
from seclatch.scan.reach.main_loop import find_loop_calls
from seclatch.scan.reach.reachability import FUNCTION, Node, ReachabilityWalk, ReachedCode
from seclatch.scan.summary.summary_cache import SummaryCache
from seclatch.system import gc_pause

_LONGEST = 64
"""Steps of a chain that are reported; the middle of a longer one is left out."""

_ALWAYS = {AARCH64: ("rt_sigreturn",)}
"""The kernel's vDSO returns from signal handlers there: no file of the program has that call."""

_EXECUTES = {"execve", "execveat"}


@gc_pause.pause_gc()
def scan_program(  # noqa: PLR0913 (as in a request)
    rootfs: Rootfs,
    cache: SummaryCache,
    target: ScanTarget,
    further: tuple[str, ...] = (),
    kernel: Version = OLDEST,
    *,
    main_loop: str = "",
) -> ScannedProgram:
    """Analyse one executable. Raises ElfError.

    `further`: libraries to load as plugins; `kernel`: the oldest on which it runs; `main_loop`: the
    function that runs once the program has started.
    """
    linked = linker.link_program(rootfs, cache, target.path, dict(target.environment))
    linked.kernel = kernel
    configured = plugins.find_plugins(rootfs, linked.modules[0].path, target)
    linked.missing += () if further else (*configured.missing, *target.unknown)
    linked.configured = configured.known or bool(further)
    # Packages contain files for other machines, too.
    for path in filter(linked.fits, configured.paths):
        linked.add_plugin(path, configured.called.get(path))
    for path in further:
        linked.add_plugin(path)
    reacher = ReachabilityWalk(linked)
    reached = reacher.follow()
    notes = configured.notes
    for find in (pam_modules.find_pam_plugins, plugins.find_apr_plugins):
        notes += _add_asked_plugins(linked, reacher, find)
    static = linked.modules[0].summary.services
    for service in plugins.find_name_services(rootfs, reached.rule_state.asked, static):
        library = linked.find(service, linked.modules[0])
        if library is not None:
            linked.add_plugin(library)
    found = gconv_modules.find_charset_modules(linked, reached.rule_state.asked)
    for path in found.others:
        linked.add_plugin(path)
    reacher.need(found.needs, "asked by a module for character sets")
    reacher.follow()
    notes += _note_unknown_libraries(linked, reached)
    made = _make_program(linked, collect_numbers(linked, reached), target, notes)
    passed = collect_arguments(linked, reached, reacher.searching)
    made = msgspec.structs.replace(made, arguments=passed)
    return _add_loop(made, linked, reached, main_loop)


def _add_asked_plugins(
    linked: linker.LinkedProgram,
    reacher: ReachabilityWalk,
    find: Callable[[Rootfs, set[str]], plugins.FoundPlugins],
) -> tuple[str, ...]:
    """Add plugins that come with what the program asks for, until they ask for no more; notes."""
    notes: tuple[str, ...] = ()
    added: dict[str, frozenset[str] | None] = {}
    while True:
        found = find(linked.rootfs, reacher.rule_state.asked)
        wanted = {path: found.called.get(path) for path in filter(linked.fits, found.paths)}
        if wanted == added:
            return notes
        added, notes = wanted, found.notes
        for path, called in wanted.items():
            linked.add_plugin(path, called)
        reacher.follow()


def _add_loop(
    made: ScannedProgram, linked: linker.LinkedProgram, reached: ReachedCode, main_loop: str
) -> ScannedProgram:
    loop = find_loop_calls(linked, reached, main_loop) if main_loop else None
    if loop is None:
        return made
    return msgspec.structs.replace(made, main_loop=main_loop, loop_calls=loop)


def _note_unknown_libraries(linked: linker.LinkedProgram, reached: ReachedCode) -> tuple[str, ...]:
    """Return a note on libraries that may load unknown others."""
    names = {
        module.name
        for index, module in enumerate(linked.modules)
        for function, why in module.summary.unnamed
        if index and why == UNNAMED_LIBRARY and (index, FUNCTION, function) in reached.origins
    }
    if not names:
        return ()
    return (
        f"libraries that may load further ones, by names that they make: "
        f"{', '.join(sorted(names))}",
    )


def _make_program(
    linked: linker.LinkedProgram, reached: ReachedCode, target: ScanTarget, notes: tuple[str, ...]
) -> ScannedProgram:
    machine, arch = linked.modules[0].summary.machine, find_arch(linked.modules[0])
    known = load_syscalls(arch)
    sites = dict(reached.sites)
    for name in _ALWAYS.get(machine, ()):
        sites.setdefault(known.numbers[name], [])
    calls = [
        CallChain(known.names.get(number, ""), number, _find_shortest_chain(linked, reached, where))
        for number, where in sorted(sites.items())
        if number in known.names or number < 1024
    ]
    return ScannedProgram(
        path=target.path,
        arch=arch.title,
        because=target.because,
        files=tuple(module.path for module in linked.scope),
        calls=tuple(sorted(calls, key=lambda call: (call.name or "~", call.number))),
        open=tuple(_list_unresolved(linked, reached)),
        missing=tuple(linked.missing),
        unread=tuple(f"{path}: {reason}" for path, reason in linked.unread),
        plugins=tuple(module.path for module in linked.modules if module.plugin),
        notes=notes,
        runs_others=any(call.name in _EXECUTES for call in calls),
    )


def _find_shortest_chain(
    linked: linker.LinkedProgram, reached: ReachedCode, where: list[tuple[int, int]]
) -> tuple[str, ...]:
    """Return the shortest chain to the functions that make a call (of the first 16 of them)."""
    chains = [_make_chain(linked, reached, (m, FUNCTION, f)) for m, f in where[:16]]
    return min(chains, key=len, default=("the kernel's vDSO",))


def _make_chain(linked: linker.LinkedProgram, reached: ReachedCode, node: Node) -> tuple[str, ...]:
    steps: list[str] = []
    origin: Node | str | None = node
    while isinstance(origin, tuple):
        if origin[1] == FUNCTION:
            steps.append(name_function(linked, origin))
        origin = reached.origins.get(origin)
    if origin:
        steps.append(origin)
    steps.reverse()
    if len(steps) > _LONGEST:
        half = _LONGEST // 2
        steps = [*steps[:half], "…", *steps[-half:]]
    return tuple(steps)


def name_function(linked: linker.LinkedProgram, node: Node) -> str:
    """Return a function's name for users: `libc.so.6:execve`, or its address."""
    module = linked.modules[node[0]]
    known = module.summary.names.get(node[2])
    return f"{module.name}:{known or hex(module.summary.starts[node[2]])}"


def _list_unresolved(linked: linker.LinkedProgram, reached: ReachedCode) -> list[UnresolvedCall]:
    return [
        UnresolvedCall(
            linked.modules[m].path, name_function(linked, (m, FUNCTION, f)), address, why
        )
        for m, f, address, why in sorted(reached.unresolved)
    ]
