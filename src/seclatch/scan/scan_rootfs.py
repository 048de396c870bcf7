"""Scan a whole root directory: select its programs and scan them on all processors.

See docs/decisions/0054 (kernel versions of a scan).
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path

from seclatch.errors import SeclatchError
from seclatch.model.recording.executed_programs import ExecutedProgram
from seclatch.model.scan import Scan, ScannedProgram
from seclatch.scan.analysis.library_rules import OLDEST, Version
from seclatch.scan.elf.elf_file import ElfError
from seclatch.scan.image.image_command import ImageCommand, ProgramFinder
from seclatch.scan.image.rootfs_reader import Rootfs
from seclatch.scan.image.scan_target import ScanTarget
from seclatch.scan.reach.scan_program import scan_program
from seclatch.scan.summary.summary_cache import SummaryCache

Progress = Callable[[int, int, str], None]
"""Called with the number of finished programs, of all, and the last one's path."""

_FEW = 3
"""Programs for which starting further processes does not pay."""


@dataclass(frozen=True, slots=True)
class ScanRequest:
    """What to scan.

    `entrypoints` replace the image's command; `every`: all executables; `plugins`: paths of
    libraries that programs load beyond what code shows; `cache`: where summaries are kept, or None;
    `digests`: those by which the image is known; `kernel`: the oldest on which they run;
    `executed`: what recordings show; `health_commands`: health checks of containers;
    `main_loop`: a function of one of the programs.
    """

    directory: Path
    source: str
    command: ImageCommand = field(default_factory=ImageCommand)
    entrypoints: tuple[str, ...] = ()
    every: bool = False
    plugins: tuple[str, ...] = ()
    cache: Path | None = None
    digests: tuple[str, ...] = ()
    kernel: Version = OLDEST
    executed: tuple[ExecutedProgram, ...] = ()
    health_commands: tuple[tuple[str, ...], ...] = ()
    main_loop: str = ""


def scan_rootfs(request: ScanRequest, progress: Progress = lambda done, count, path: None) -> Scan:
    """Find the programs and scan each. Raises SeclatchError if there is none."""
    rootfs = Rootfs(request.directory)
    try:
        targets, notes, names = _find_targets(rootfs, request)
        found: dict[ScanTarget, ScannedProgram] = {}
        skipped: list[str] = []
        for target, outcome in _scan_targets(rootfs, request, targets):
            progress(len(found) + len(skipped) + 1, len(targets), target.path)
            if isinstance(outcome, ScannedProgram):
                found[target] = outcome
            else:
                skipped.append(f"{target.path}: {outcome}")
    finally:
        rootfs.close()
    programs = _drop_equal([found[scanned] for scanned in targets if scanned in found])
    if not programs:
        reasons = [*notes, *skipped][:5] or ["no command is known"]
        raise SeclatchError(
            f"nothing to scan in {request.source}: {'; '.join(reasons)}",
            remedy="name a program with --entrypoint PATH, or take all of them with --all",
            status=2,
        )
    if request.main_loop and not any(each.main_loop for each in programs):
        raise SeclatchError(
            f"no program in {request.source} has a function {request.main_loop}",
            remedy="give a function that the program or one of its libraries exports, or that its "
            "symbol table names (nm -D, nm)",
            status=2,
        )
    return Scan(
        source=request.source,
        programs=tuple(programs),
        digest=request.digests[0] if request.digests else "",
        digests=request.digests,
        followed=tuple(sorted(names)),
        skipped=tuple(sorted(skipped)),
        notes=tuple(notes),
        kernel="{}.{}".format(*request.kernel),
    )


def _drop_equal(programs: list[ScannedProgram]) -> list[ScannedProgram]:
    """Drop programs that are the same in another environment."""
    return list(
        {
            (program.path, program.files, program.calls): program for program in reversed(programs)
        }.values()
    )[::-1]


def _find_targets(
    rootfs: Rootfs, request: ScanRequest
) -> tuple[list[ScanTarget], list[str], Iterable[str]]:
    if request.every:
        environment = request.command.environment
        found = [
            ScanTarget(path, "executable in the image", environment)
            for path in rootfs.executables()
            if rootfs.head(path, 4) == b"\x7fELF" and not _is_library(path)
        ]
        return found, [], [target.path for target in found]
    finder = ProgramFinder(rootfs, request.command)
    for entrypoint in request.entrypoints:
        finder.follow([entrypoint], "given as an entry point")
    if not request.entrypoints:
        finder.follow(request.command.words, "the image's command")
        finder.follow(request.command.health, "the image's health check")
    for words in request.health_commands:
        finder.follow(words, "a container's health check")
    for program in request.executed:
        finder.take(program.exe, program.argv[1:], "executed while recording")
    return finder.targets(), finder.found.notes, finder.found.names


def _is_library(path: str) -> bool:
    name = path.rsplit("/", 1)[-1]
    return name.endswith(".so") or ".so." in name


def _scan_targets(
    rootfs: Rootfs, request: ScanRequest, targets: list[ScanTarget]
) -> Iterator[tuple[ScanTarget, ScannedProgram | str]]:
    if len(targets) <= _FEW:
        for target in targets:
            yield target, _scan_target(rootfs, SummaryCache(request.cache), request, target)
        return
    context = multiprocessing.get_context("spawn")
    workers = min(len(os.sched_getaffinity(0)), len(targets))
    with ProcessPoolExecutor(workers, context, _begin_worker, (request,)) as pool:
        running = {pool.submit(_in_worker, submitted): submitted for submitted in targets}
        for done in as_completed(running):
            try:
                yield running[done], done.result()
            except BrokenProcessPool as error:
                raise SeclatchError(
                    f"scanning {request.source}: a worker process was killed",
                    remedy="most likely there is too little memory: scan single programs with "
                    "--entrypoint",
                ) from error


def _scan_target(
    rootfs: Rootfs, cache: SummaryCache, request: ScanRequest, target: ScanTarget
) -> ScannedProgram | str:
    """Scan one program; a text says why it cannot be scanned."""
    try:
        return scan_program(
            rootfs, cache, target, request.plugins, request.kernel, main_loop=request.main_loop
        )
    except ElfError as error:
        return str(error)
    except (MemoryError, RecursionError) as error:
        return f"too large to analyse ({type(error).__name__})"


class _Worker:
    rootfs: Rootfs
    cache: SummaryCache
    request: ScanRequest


def _begin_worker(request: ScanRequest) -> None:
    """Set up a worker process."""
    _Worker.request = request
    _Worker.rootfs = Rootfs(request.directory)
    _Worker.cache = SummaryCache(request.cache)


def _in_worker(target: ScanTarget) -> ScannedProgram | str:
    return _scan_target(_Worker.rootfs, _Worker.cache, _Worker.request, target)
