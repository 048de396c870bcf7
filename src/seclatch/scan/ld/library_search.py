"""Search paths of the dynamic linker: ld.so(8) for glibc; musl's rules for musl's."""

from __future__ import annotations

import fnmatch
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from seclatch.scan.elf.elf_file import X86_64
from seclatch.scan.image.rootfs_reader import Rootfs
from seclatch.scan.summary.summarize_file import FileSummary

_MULTIARCH = {X86_64: "x86_64-linux-gnu", 183: "aarch64-linux-gnu"}
PLATFORM = {X86_64: "x86_64", 183: "aarch64"}
_LEGACY = ("tls", "haswell", "avx512_1", "xeon_phi", "x86_64", "aarch64", "atomics")
_MOST, _DIRECTORIES = 2000, 200
_CACHED, _LARGEST_CACHE = re.compile(rb"\0(/[^\0]{1,4000})/[^/\0]+(?=\0)"), 1 << 24


@dataclass(slots=True, eq=False)
class LoadedModule:
    """A loaded file: `path` in the root directory.

    `plugin`: all that it exports may be called, or the names in `called` alone, if that is not
    None. `loader`: the module that imports it, whose DT_RPATH counts. `variants` are the files that
    better processors load instead of it (glibc-hwcaps).
    """

    path: str
    summary: FileSummary
    loader: LoadedModule | None = None
    plugin: bool = False
    called: frozenset[str] | None = None
    variants: list[LoadedModule] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Return its soname, or its file's name."""
        return self.summary.soname or posixpath.basename(self.path)

    def add_called(self, names: frozenset[str] | None) -> None:
        """Make it a plugin of which these names are called, too; None: all that it exports."""
        if not self.plugin:
            self.called = names
        elif self.called is not None:
            self.called = None if names is None else self.called | names
        self.plugin = True

    def is_called(self, name: str) -> bool:
        """Return whether the program that loads it as a plugin may call an export of it."""
        return self.called is None or name in self.called


def list_rpath(module: LoadedModule) -> list[str]:
    """Return DT_RPATH of the module and its loaders; none if there is a DT_RUNPATH."""
    found: list[str] = []
    current: LoadedModule | None = None if module.summary.runpath else module
    while current is not None and len(found) < _MOST:
        found += _expand_paths(current.summary.rpath, current)
        current = current.loader
    return found


def list_runpath(module: LoadedModule) -> list[str]:
    """Return DT_RUNPATH, which comes after LD_LIBRARY_PATH."""
    return _expand_paths(module.summary.runpath, module)


def list_preloaded(rootfs: Rootfs, environment: Mapping[str, str], *, glibc: bool) -> list[str]:
    """Return the libraries that are loaded before all others; musl has no file for them."""
    found = environment.get("LD_PRELOAD", "").replace(":", " ").split()
    return [*found, *rootfs.text("/etc/ld.so.preload").split()] if glibc else found


def list_auditors(module: LoadedModule, environment: Mapping[str, str]) -> list[str]:
    """Return the program's libraries that audit the loader (rtld-audit(7))."""
    return _expand_paths([*module.summary.audit, environment.get("LD_AUDIT", "")], module)


def _expand_paths(paths: list[str], module: LoadedModule) -> list[str]:
    origin = posixpath.dirname(module.path)
    found: list[str] = []
    for path in ":".join(paths).split(":"):
        for name, value in (
            ("ORIGIN", origin),
            ("LIB", "lib"),
            ("PLATFORM", PLATFORM[module.summary.machine]),
        ):
            path = path.replace(f"${name}", value).replace(f"${{{name}}}", value)  # noqa: PLW2901
        if path and len(found) < _DIRECTORIES:
            found.append(path)
    return found


def list_preferred(rootfs: Rootfs, directory: str) -> list[str]:
    """Return subdirectories that better processors prefer."""
    names = rootfs.names(posixpath.join(directory, "glibc-hwcaps"))
    found = [f"glibc-hwcaps/{name}" for name in names[:64]]
    # Until 2.36: names of platforms and features themselves, one below another.
    present = [name for name in _LEGACY if rootfs.is_directory(posixpath.join(directory, name))]
    nested = [f"{a}/{b}" for a in present for b in _LEGACY if a != b]
    found += present
    found += [pair for pair in nested if rootfs.is_directory(posixpath.join(directory, pair))]
    return [posixpath.join(directory, name) for name in found]


def list_glibc_directories(rootfs: Rootfs, main: LoadedModule) -> list[str]:
    """Return the directories of ld.so.conf, of ld.so.cache, and the built-in ones.

    ld.so.cache is made from ld.so.conf; it may have others besides (of `ldconfig DIRECTORY`).
    """
    triplet = _MULTIARCH[main.summary.machine]
    built_in = [
        f"/lib/{triplet}",
        f"/usr/lib/{triplet}",
        "/lib64",
        "/usr/lib64",
        "/lib",
        "/usr/lib",
    ]
    configured = _list_configured(rootfs, "/etc/ld.so.conf", 0)
    known = {*configured, *built_in}
    return (
        configured
        + [directory for directory in _list_cached(rootfs) if directory not in known]
        + built_in
    )


def _list_cached(rootfs: Rootfs) -> list[str]:
    """Return the directories of the files in ld.so.cache, except better processors'.

    `list_preferred` finds those.
    """
    data = rootfs.read("/etc/ld.so.cache", _LARGEST_CACHE) or b""
    found = {path.decode("utf-8", "surrogateescape") for path in _CACHED.findall(data)}
    return sorted(
        directory
        for directory in found
        if "/glibc-hwcaps/" not in directory and posixpath.basename(directory) not in _LEGACY
    )[:_DIRECTORIES]


def _list_configured(rootfs: Rootfs, path: str, depth: int) -> list[str]:
    found: list[str] = []
    for line in rootfs.text(path).splitlines():
        words = line.split("#")[0].replace(",", " ").split()
        if words[:1] == ["include"] and depth < 8:
            for pattern in words[1:]:
                found += _list_included(
                    rootfs, posixpath.join(posixpath.dirname(path), pattern), depth
                )
        else:
            found += [word for word in words if word.startswith("/")]
    return found


def _list_included(rootfs: Rootfs, pattern: str, depth: int) -> list[str]:
    directory, name = posixpath.split(pattern)
    return [
        included
        for file in rootfs.names(directory)
        if fnmatch.fnmatch(file, name)
        for included in _list_configured(rootfs, posixpath.join(directory, file), depth + 1)
    ]


def list_musl_directories(rootfs: Rootfs, main: LoadedModule) -> list[str]:
    """Return /etc/ld-musl-ARCH.path, or the built-in directories."""
    path = rootfs.text(f"/etc/ld-musl-{PLATFORM[main.summary.machine]}.path")
    found = [directory for directory in path.replace("\n", ":").split(":") if directory]
    return found or ["/lib", "/usr/local/lib", "/usr/lib"]
