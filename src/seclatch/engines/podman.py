"""Podman: a drop-in beside containers.conf, read at every start of podman."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seclatch.engines.installation import toml_edit
from seclatch.engines.installation.engine import (
    NAME,
    ConfigTexts,
    LatchRegistration,
    is_own_latch,
    make_conflict_error,
)
from seclatch.engines.installation.file_change import ChangeStep, FileChange, read_file
from seclatch.engines.installation.host_root import HostRoot
from seclatch.errors import InputError

CONFIG = "/etc/containers/containers.conf.d/50-seclatch.conf"

HEADER = """\
# Written by `seclatch install podman`, removed by `seclatch uninstall podman`.
"""

# containers.conf(5): files in the order in which they are read, later ones win.
SOURCES = ("/usr/share/containers/containers.conf", "/etc/containers/containers.conf")
DROP_INS = ("/usr/share/containers/containers.conf.d", "/etc/containers/containers.conf.d")

RUNTIMES = ("engine", "runtimes")
DEFAULT = ("engine", "runtime")

# Podman asks these lists by the runtime's *registered name*; each replaces its built-in value,
# so the values in force have to be repeated. Built-in values: containers.conf(5). That page calls
# the second list runtime_supports_nocgroups, and Podman 5.4 reads only runtime_supports_nocgroup:
# both are written, the one that is not known is ignored.
NO_CGROUPS = ["crun", "crun-vm", "krun"]
BUILT_IN = {
    "runtime_supports_json": ["crun", "crun-vm", "runc", "kata", "runsc", "youki", "krun"],
    "runtime_supports_nocgroup": NO_CGROUPS,
    "runtime_supports_nocgroups": NO_CGROUPS,
}
CAPABLE = {"runc": ("runtime_supports_json",), "crun": tuple(BUILT_IN)}


@dataclass(frozen=True)
class Podman:
    """containers.conf(5) with its drop-in directory."""

    root: HostRoot
    name: str = "podman"
    runtimes: tuple[str, ...] = ("crun", "runc")  # Podman's own order
    runtime_directories: tuple[str, ...] = ()

    @property
    def config(self) -> str:
        """Return the path of the latch's drop-in."""
        return CONFIG

    def list_configs(self) -> list[str]:
        """Return the drop-in alone."""
        return [self.config]

    def register(self, texts: ConfigTexts, wish: LatchRegistration) -> ConfigTexts:
        """Write the runtime, what it supports, and with `default` the default."""
        text = texts[self.config]
        source = str(self.root.resolve(self.config))
        old = toml_edit.parse_table(source, text or "")
        if toml_edit.find_value(old, (*RUNTIMES, NAME)) is not None:
            raise make_conflict_error(source, f"engine.runtimes.{NAME}")
        put: dict[tuple[str, ...], Any] = {DEFAULT: NAME} if wish.default else {}
        for key in CAPABLE[wish.runtime]:
            put["engine", key] = [*self.list_in_force(key), NAME]
        put[(*RUNTIMES, NAME)] = [wish.front]
        return {self.config: toml_edit.edit_toml(source, HEADER if text is None else text, put)}

    def unregister(self, path: str, text: str, original: str | None) -> str | None:
        """Remove our entries from a drop-in to which others were added."""
        source = str(self.root.resolve(path))
        now = toml_edit.parse_table(source, text)
        paths = toml_edit.find_value(now, (*RUNTIMES, NAME))
        if not (isinstance(paths, list) and paths and is_own_latch(self.name, paths[0])):
            return text
        drop: list[tuple[str, ...]] = [(*RUNTIMES, NAME)]
        if toml_edit.find_value(now, DEFAULT) == NAME:
            drop.append(DEFAULT)
        for key in BUILT_IN:
            names = toml_edit.find_value(now, ("engine", key))
            if isinstance(names, list) and NAME in names:
                drop.append(("engine", key))  # its other names were in force without it
        left = toml_edit.edit_toml(source, text, {}, drop)
        return left if toml_edit.parse_table(source, left) or original is not None else None

    def list_in_force(self, key: str) -> list[str]:
        """Return the value of a list before the drop-in, as Podman's layering makes it."""
        value = list(BUILT_IN[key])
        for _, table in self.other_files():
            names = toml_edit.find_value(table, ("engine", key))
            if not isinstance(names, list):
                continue
            append = any(isinstance(one, dict) and one.get("append") is True for one in names)
            strings = [one for one in names if isinstance(one, str)]
            value = [*value, *strings] if append else strings
        return [name for name in dict.fromkeys(value) if name != NAME]

    def other_files(self) -> list[tuple[Path, dict[str, Any]]]:
        """Read every other containers.conf of the system, in Podman's order."""
        paths = [self.root.resolve(path) for path in SOURCES]
        for directory in DROP_INS:
            names = sorted(one.name for one in self.root.resolve(directory).glob("*.conf"))
            paths += [self.root.resolve(f"{directory}/{name}") for name in names]
        ours = self.root.resolve(self.config)
        files = [(path, read_file(path)) for path in paths if path != ours]
        return [(path, self.parse_other(path, file.content)) for path, file in files if file]

    def parse(self, path: str, text: str) -> dict[str, Any]:
        """Parse the drop-in."""
        return toml_edit.parse_table(str(self.root.resolve(path)), text)

    @staticmethod
    def parse_other(path: Path, content: bytes) -> dict[str, Any]:
        """Parse one configuration file."""
        try:
            return toml_edit.parse_table(str(path), content.decode())
        except UnicodeDecodeError as error:
            raise InputError(str(path), f"byte {error.start}", "is not UTF-8") from None

    def check(self, after: ConfigTexts) -> None:
        """Refuse if another file has a runtime of this name, or is broken."""
        if after.get(self.config) is None:
            return
        for path, table in self.other_files():
            if toml_edit.find_value(table, (*RUNTIMES, NAME)) is not None:
                raise make_conflict_error(str(path), f"engine.runtimes.{NAME}")

    def make_live_steps(
        self, changes: Sequence[FileChange], wish: LatchRegistration | None
    ) -> list[ChangeStep]:
        """Return the plain change: every podman process reads the files."""
        return [*changes]

    def list_notes(self, wish: LatchRegistration, after: ConfigTexts) -> list[str]:
        """Return how to use it, and what a default means for users without root."""
        use = "podman run" if wish.default else f"podman --runtime {NAME} run"
        notes = [f"use: {use} --security-opt seccomp=FILE IMAGE CMD"]
        later = [
            str(path)
            for path, table in self.other_files()
            if path.name > Path(self.config).name
            and toml_edit.find_value(table, DEFAULT) is not None
            and str(path.parent).endswith(".conf.d")
        ]
        if wish.default and later:
            notes.append(f"{later[-1]} is read after ours and names another default runtime")
        if wish.default and wish.mode == "suspend":
            notes.append(
                "the drop-in counts for rootless Podman too, where seccomp cannot be suspended and "
                "the latch refuses; install with --latch auto, or let such users set `runtime` in "
                "their own containers.conf"
            )
        return notes

    def list_removal_notes(self) -> list[str]:
        """Return the note about stopped containers that name the runtime."""
        return [f"containers created with --runtime {NAME} will not start again; create them anew"]
