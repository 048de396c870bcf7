"""glibc's modules for character sets (gconv), any of which iconv_open(3) may load.

There are 250 of them, nearly all without a call of their own: their imports are collected once,
instead of following each in every program. A locale's own character set is assumed to be built into
the C library: UTF-8, ASCII.
"""

from __future__ import annotations

import functools
import posixpath
from dataclasses import dataclass

from seclatch.scan.elf.elf_file import ElfError
from seclatch.scan.image.rootfs_reader import Rootfs
from seclatch.scan.ld.linker import LinkedProgram
from seclatch.scan.summary.summarize_file import FileSummary
from seclatch.scan.summary.summary_cache import SummaryCache

_ASKS = ("iconv_open", "__gconv_open", "__gconv_create_spec")
_LIBC = {"libc.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}
_LOADS = {"dlopen", "dlmopen", "dlsym", "dlvsym", "syscall"}
_MOST, _PLACES = 1000, 64


@dataclass(frozen=True, slots=True)
class CharsetModules:
    """`needs` are (name, version) that modules import from the C library.

    `others` are paths of modules to follow like any plugin.
    """

    needs: frozenset[tuple[str, str]] = frozenset()
    others: tuple[str, ...] = ()


def find_charset_modules(program: LinkedProgram, asked: set[str]) -> CharsetModules:
    """Return the modules for a program that imports these names."""
    if not any(name in asked for name in _ASKS):
        return CharsetModules()
    places = [posixpath.join(directory, "gconv") for directory in dict.fromkeys(program.system)]
    places += [
        directory for directory in program.environment.get("GCONV_PATH", "").split(":") if directory
    ]
    machine = program.modules[0].summary.machine
    return _read(program.rootfs, program.cache, tuple(places[:_PLACES]), machine)


@functools.lru_cache(maxsize=8)
def _read(
    rootfs: Rootfs, cache: SummaryCache, places: tuple[str, ...], machine: int
) -> CharsetModules:
    needs: set[tuple[str, str]] = set()
    others: list[str] = []
    paths = [
        posixpath.join(place, name)
        for place in places
        for name in rootfs.names(place)
        if name.endswith(".so")
    ]
    for path in {rootfs.resolve(name): None for name in paths[:_MOST]}:
        data = None if path is None else rootfs.read(path)
        if path is None or data is None:
            continue
        try:
            summary = cache.summary(data)
        except ElfError:
            others.append(path)  # reported as one that could not be read
            continue
        if summary.machine != machine:
            continue
        if _is_plain(summary):
            needs.update(summary.symbols)
        else:
            others.append(path)
    return CharsetModules(frozenset(needs), tuple(others))


def _is_plain(summary: FileSummary) -> bool:
    """Return whether a module makes no call itself and needs nothing but the C library."""
    own = summary.numbers or summary.unresolved or summary.foreign or summary.wrappers
    names = {name for name, _ in summary.symbols}
    return not own and set(summary.needed) <= _LIBC and not names & _LOADS
