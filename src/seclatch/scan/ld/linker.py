"""Load a program's libraries from a root directory, in the order of the dynamic linker.

See docs/decisions/0052 (choices of the loader).
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field

from seclatch.scan.analysis.library_rules import OLDEST, Version
from seclatch.scan.elf.elf_file import ElfError
from seclatch.scan.image.rootfs_reader import Rootfs
from seclatch.scan.ld import library_search
from seclatch.scan.ld.library_search import LoadedModule
from seclatch.scan.summary.summary_cache import SummaryCache

_MOST = 2000
"""Libraries that one program loads at most; LibreOffice has 300."""

_TOO_MANY = f"more than {_MOST} libraries"


@dataclass(slots=True, eq=False)
class LinkedProgram:
    """A program with its libraries.

    `modules[0]` is the program itself, the dynamic linker is at `interpreter` (or None). `missing`
    are libraries that were not found; `unread` files that could not be analysed, with the reason.
    `environment`: as it is run; `kernel`: the oldest on which it is.
    """

    rootfs: Rootfs
    cache: SummaryCache
    modules: list[LoadedModule] = field(default_factory=list)
    interpreter: LoadedModule | None = None
    missing: list[str] = field(default_factory=list)
    unread: list[tuple[str, str]] = field(default_factory=list)
    library_path: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    kernel: Version = OLDEST
    by_name: dict[str, LoadedModule] = field(default_factory=dict)
    system: list[str] = field(default_factory=list)
    preferred: dict[str, list[str]] = field(default_factory=dict)
    configured: bool = False
    """Whether the libraries are known that the program itself loads by computed names."""
    at_start: int = 0
    """How many modules there are before anything is opened by dlopen(3)."""

    @property
    def scope(self) -> list[LoadedModule]:
        """Return the modules in the order of symbol lookup: the linker itself comes last."""
        rest = [module for module in self.modules if module is not self.interpreter]
        return rest + ([self.interpreter] if self.interpreter else [])

    def add(self, path: str, loader: LoadedModule | None = None) -> LoadedModule | None:
        """Load a file and, after it, all that it needs; None if it is no usable library."""
        before = len(self.modules)
        module = self._load(path, loader)
        self.load_needed(before)
        return module

    def add_plugin(self, path: str, called: frozenset[str] | None = None) -> None:
        """Load a file of which the program calls these names, or anything that it exports."""
        before = len(self.modules)
        module = self.add(path, self.modules[0])
        if module is not None:
            is_new = module.plugin or module in self.modules[before:]
            module.add_called(called if is_new else None)

    def load_needed(self, first: int = 0) -> None:
        """Load what modules need from the given one on, breadth first."""
        index = first
        while index < len(self.modules):
            self._load_needed(self.modules[index])
            index += 1

    def open(self, name: str, loader: LoadedModule) -> LoadedModule | None:
        """Load a library as dlopen(3) would: by path if it has a slash, else by search."""
        known = None if "/" in name else self.by_name.get(name)
        if "/" in name:
            known = self.add(name, loader)
        if known is not None and known.plugin:
            known.add_called(None)  # by other code than that which loads it as a plugin
        if known is not None or "/" in name:
            return known
        before = len(self.modules)
        module = self._load_found(name, loader)
        self.load_needed(before)
        return module

    def find(self, name: str, loader: LoadedModule) -> str | None:
        """Search a library's file as the linker does; only one of the program's machine counts."""
        return next(iter(self.find_all(name, loader)), None)

    def find_all(self, name: str, loader: LoadedModule) -> list[str]:
        """Return the file that the linker finds, and then those that it finds on better processors.

        ld.so.cache prefers them whatever directory they are in, so all directories count.
        """
        base: list[str] = []
        variants: list[str] = []
        ordinary = [
            *library_search.list_rpath(loader),
            *self.library_path,
            *library_search.list_runpath(loader),
        ]
        for directory in dict.fromkeys([*ordinary, *self.system]):
            if directory not in self.preferred:
                self.preferred[directory] = library_search.list_preferred(self.rootfs, directory)
            places = [(variants, preferred) for preferred in self.preferred[directory]]
            for found, place in [*places, *([] if base else [(base, directory)])]:
                path = self.rootfs.resolve(posixpath.join(place, name))
                if path is not None and path not in (*base, *variants) and self.fits(path):
                    found.append(path)
        return base + variants

    def _load_found(self, name: str, loader: LoadedModule) -> LoadedModule | None:
        """Load a library that is searched by name, and its variants."""
        paths = self.find_all(name, loader)
        loaded_before = any(module.path == path for path in paths[:1] for module in self.modules)
        loaded = [self._load(path, loader) for path in paths]
        found = [module for module in loaded if module is not None]
        if not found:
            return None
        base, further = (
            found[0],
            [module for module in found[1:] if module not in found[0].variants],
        )
        for module in further:
            # Where names have been bound already, it is unknown which of them count here too.
            if loaded_before:
                module.add_called(None)
        base.variants += further
        self.by_name[name] = base
        return base

    def fits(self, path: str) -> bool:
        """Return whether a file is for the program's machine."""
        head = self.rootfs.head(path, 20)
        machine = int.from_bytes(head[18:20], "little")
        return head[:5] == b"\x7fELF\x02" and machine == self.modules[0].summary.machine

    def _load(self, path: str, loader: LoadedModule | None) -> LoadedModule | None:
        real = self.rootfs.resolve(path)
        known = next((other for other in self.modules if other.path == real), None)
        if known is not None:
            return known
        try:
            summary = None if real is None else self.cache.file(self.rootfs, real)
        except ElfError as error:
            self.unread.append((real or path, str(error)))
            return None
        if real is None or summary is None:
            self.missing.append(path)
            return None
        if self.modules and summary.machine != self.modules[0].summary.machine:
            self.unread.append((real, "is for another machine than the program"))
            return None
        module = LoadedModule(real, summary, loader)
        self.modules.append(module)
        self.by_name.setdefault(module.name, module)
        return module

    def _load_needed(self, module: LoadedModule) -> None:
        for name in module.summary.needed:
            if name in self.by_name or _TOO_MANY in self.missing:
                continue
            if len(self.modules) + len(self.missing) > _MOST:
                self.missing.append(_TOO_MANY)
                continue
            found = self._load(name, module) if "/" in name else self._load_found(name, module)
            if found is not None:
                self.by_name[name] = found
            elif name not in self.missing:
                self.missing.append(name)


def link_program(
    rootfs: Rootfs, cache: SummaryCache, executable: str, environment: Mapping[str, str]
) -> LinkedProgram:
    """Load an executable with all its libraries. Raises ElfError if it cannot be analysed."""
    library_path = environment.get("LD_LIBRARY_PATH", "")
    program = LinkedProgram(rootfs, cache, environment=environment)
    program.library_path = tuple(directory for directory in library_path.split(":") if directory)
    main = program._load(executable, None)
    if main is None:
        reason = program.unread[0][1] if program.unread else "no such file in the root directory"
        raise ElfError(reason)
    musl = "ld-musl" in main.summary.interpreter
    program.system = (
        library_search.list_musl_directories(rootfs, main)
        if musl
        else library_search.list_glibc_directories(rootfs, main)
    )
    if main.summary.interpreter:
        program.interpreter = program._load(main.summary.interpreter, None)
    if program.interpreter is not None and musl:
        for name in ("libc.so", f"libc.musl-{library_search.PLATFORM[main.summary.machine]}.so.1"):
            program.by_name[name] = program.interpreter  # musl's linker is its C library
    glibc = bool(main.summary.interpreter) and not musl
    for name in library_search.list_preloaded(rootfs, environment, glibc=glibc):
        program.open(name, main)
    program.load_needed()
    for name in library_search.list_auditors(main, environment) if glibc else ():
        found = program.open(name, main)
        if found is not None:
            found.add_called(None)
    program.at_start = len(program.modules)
    return program
