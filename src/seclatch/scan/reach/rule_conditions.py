"""Conditions of rules that are not in code: linking, the environment, the image."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence

from seclatch.scan.image.rootfs_reader import Rootfs
from seclatch.scan.ld.library_search import LoadedModule
from seclatch.scan.ld.linker import LinkedProgram

_LIBC = "libc.so.6"
_SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")
_DEVICE_TOOLS = ("dmsetup", "lvdisplay")
_CHARSET_CACHE = (0x20010324).to_bytes(4, "little")
"""How the cache of iconvconfig(8) begins."""
_CACHES = ("/usr/sbin/nscd", "/usr/sbin/unscd", "/usr/bin/nscd", "/sbin/nscd")
_OPENS = {"dlopen", "dlmopen", "__libc_dlopen_mode"}
_PLACES = ("/run/nscd", "/var/run/nscd", "/var/db/nscd", "/var/cache/nscd")


def condition_holds(condition: str, program: LinkedProgram) -> bool:
    """Return whether one of the conditions of a rule, by name, is met."""
    return any(_CONDITIONS[name](program) for name in condition.split())


def _is_tuned(program: LinkedProgram) -> bool:
    """Return whether tunables of the C library are set in the image's environment."""
    return "GLIBC_TUNABLES" in program.environment


def _has_name_cache(program: LinkedProgram) -> bool:
    """Return whether the image has a cache for name services (nscd), or a place for its socket."""
    rootfs = program.rootfs
    return any(rootfs.resolve(path) is not None for path in _CACHES) or any(
        rootfs.is_directory(path) for path in _PLACES
    )


def _has_charset_path(program: LinkedProgram) -> bool:
    """Return whether modules for character sets may be looked for elsewhere than in one directory.

    The C library reads the variable at the first conversion: the program may have set it. What sets
    it has its name, unless that is input, or is put together. The C library and the loader, which
    drops it for programs with further rights, have it in any case.
    """
    own = (program.interpreter, next((m for m in program.modules if m.name == _LIBC), None))
    named = (module.summary.charset_path for module in program.modules if module not in own)
    return "GCONV_PATH" in program.environment or any(named)


def _lacks_charset_cache(program: LinkedProgram) -> bool:
    """Return whether the C library finds no cache of modules for character sets that it can read.

    Its path is compiled into the library (iconv/gconv_cache.c).
    """
    library = next((module for module in program.modules if module.name == _LIBC), None)
    path = _find_cache_path(program.rootfs, library.path) if library is not None else ""
    return not path or program.rootfs.head(path, 4) != _CHARSET_CACHE


@functools.lru_cache(maxsize=4)
def _find_cache_path(rootfs: Rootfs, library: str) -> str:
    found = re.search(rb"/[^\0]{1,4000}/gconv-modules\.cache(?=\0)", rootfs.read(library) or b"")
    return found[0].decode("utf-8", "replace") if found else ""


def _has_user_database(program: LinkedProgram) -> bool:
    """Return whether the image has a place for the sockets of systemd's user database.

    Or says where messages go: to sockets of their own.
    """
    logs = "SYSTEMD_LOG_TARGET" in program.environment
    return logs or program.rootfs.is_directory("/run/systemd/userdb")


def _has_block_device_tools(program: LinkedProgram) -> bool:
    """Return whether the image has a program that libblkid asks about devices."""
    rootfs = program.rootfs
    return any(rootfs.resolve(f"{folder}/{name}") for folder in _SBIN for name in _DEVICE_TOOLS)


def _list_file_paths(modules: Sequence[LoadedModule]) -> Iterator[str]:
    """Yield the paths, of libraries or of directories of them, that these files name."""
    for module in modules:
        summary = module.summary
        yield from (library for library in summary.needed if "/" in library or "$" in library)
        for text in (*summary.rpath, *summary.runpath, *summary.audit):
            yield from text.replace(";", ":").split(":")


def _list_environment_paths(program: LinkedProgram) -> Iterator[str]:
    """Yield the paths that the environment and the loader's own file name."""
    for name in ("LD_LIBRARY_PATH", "LD_AUDIT", "GCONV_PATH"):
        if name in program.environment:
            yield from program.environment[name].replace(";", ":").split(":")
    preloaded = program.environment.get("LD_PRELOAD", "").replace(":", " ")
    preloaded += " " + program.rootfs.text("/etc/ld.so.preload")
    yield from (library for library in preloaded.split() if "/" in library or "$" in library)


def _has_relative_paths(program: LinkedProgram) -> bool:
    """Return whether some library may be found by a relative path; `$ORIGIN` is none."""
    paths = (*_list_file_paths(program.modules), *_list_environment_paths(program))
    return any(not path.startswith(("/", "$ORIGIN", "${ORIGIN}")) for path in paths)


def _has_tokens(program: LinkedProgram) -> bool:
    """Return whether a path has a token ($ORIGIN …) that the loader expands by the program's path.

    Tokens that libraries name it expands by their own paths, which it knows without readlink(2). A
    call of dlopen(3) belongs to the code to which it returns: the program's, if a library jumps to
    it.
    """
    main = program.modules[:1]
    paths = (*_list_file_paths(main), *_list_environment_paths(program))
    return any("$" in path for path in paths) or (
        any(map(_imports_dlopen, program.modules))
        and any(module.summary.tokens for module in program.modules)
    )


def _imports_dlopen(module: LoadedModule) -> bool:
    """Return whether it imports dlopen(3)."""
    asked = {name for name, _ in module.summary.symbols} - module.summary.exports.keys()
    return not _OPENS.isdisjoint((*asked, *module.summary.looked_up))


_CONDITIONS = {
    "tunables": _is_tuned,
    "name-cache": _has_name_cache,
    "charset-path": _has_charset_path,
    "charset-cache": _lacks_charset_cache,
    "block-device-tools": _has_block_device_tools,
    "user-database": _has_user_database,
    "relative-paths": _has_relative_paths,
    "tokens": _has_tokens,
}
