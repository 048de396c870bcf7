"""Libraries that static glibc programs load at run time: by their own code, without an import.

Libraries by dlopen(3), and name services (nsswitch.conf(5)), both with a further C library. A
stripped program has no names either, so both are recognised by glibc's own strings.

See docs/decisions/0069 (static glibc programs).
"""

from __future__ import annotations

import re
from bisect import bisect_right

from seclatch.scan.analysis.constant_arguments import FileCode
from seclatch.scan.elf import elf_file as elfs
from seclatch.scan.elf.elf_file import ElfFile

LOADED = "a static program that loads libraries (dlopen): give them with --plugin"

_MODE = re.compile(rb"invalid mode parameter\0")
"""A string of only the part of dlopen(3) that catches errors (dlfcn/dlopen.c)."""

_SERVICES, _BUILT_IN = b"libnss_%s.so", b"/etc/netgroup\0"


def find_dlopen_callers(code: FileCode) -> list[int]:
    """Return the functions (by index) that call dlopen(3).

    The C library has its own in each static program, in a table for libraries that are loaded
    later, and calls none of it.
    """
    elf, starts = code.elf, sorted(code.found.starts)
    if not _is_static(elf):
        return []
    texts = {match.start() + elf.base for match in _MODE.finditer(elf.memory)}
    found = texts
    for _ in range(2):  # the part that catches errors, and dlopen(3), which passes it on
        users = {bisect_right(starts, at) - 1 for at, to in code.sweep.references if to in found}
        found = {starts[user] for user in users}
    calls = [at for at, to, _ in code.sweep.transfers if to in found] if found else []
    calls += [at for at, to in code.sweep.references if to in found]
    return sorted({bisect_right(starts, at) - 1 for at in calls})


def find_builtin_services(elf: ElfFile) -> list[str] | None:
    """Return the built-in name services of a program that uses any; older than 2.34 loads all."""
    if not _is_static(elf) or _SERVICES not in elf.memory:
        return None
    return ["dns", "files"] if _BUILT_IN in elf.memory else []


def _is_static(elf: ElfFile) -> bool:
    return not elf.interpreter and not elf.dynamic.get(elfs.DT_NEEDED)
