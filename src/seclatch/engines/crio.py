"""CRI-O: a drop-in beside crio.conf, read when the daemon starts.

Planned by crio.conf(5) and tested on files: Debian has no package of it to run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
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

CONFIG = "/etc/crio/crio.conf.d/50-seclatch.conf"
HEADER = """\
# Written by `seclatch install crio`, removed by `seclatch uninstall crio`.
"""

# crio.conf.d(5): read in the order of their names, after crio.conf; later ones win.
MAIN, DROP_INS = "/etc/crio/crio.conf", "/etc/crio/crio.conf.d"

RUNTIMES = ("crio", "runtime", "runtimes")
DEFAULT = ("crio", "runtime", "default_runtime")


@dataclass(frozen=True)
class CriO:
    """crio.conf(5) with its drop-in directory."""

    root: HostRoot
    name: str = "crio"
    runtimes: tuple[str, ...] = ("crun", "runc")  # CRI-O's own default since 1.31
    runtime_directories: tuple[str, ...] = ()

    @property
    def config(self) -> str:
        """Return the path of the latch's drop-in."""
        return CONFIG

    def list_configs(self) -> list[str]:
        """Return the drop-in alone."""
        return [self.config]

    def parse(self, path: str, text: str) -> dict[str, Any]:
        """Parse a configuration file."""
        return toml_edit.parse_table(str(self.root.resolve(path)), text)

    def register(self, texts: ConfigTexts, wish: LatchRegistration) -> ConfigTexts:
        """Write the handler, with the settings of the one beside it, and maybe the default."""
        text = texts[self.config]
        old = self.parse(self.config, text or "")
        source = str(self.root.resolve(self.config))
        if toml_edit.find_value(old, (*RUNTIMES, NAME)) is not None:
            raise make_conflict_error(source, f"crio.runtime.runtimes.{NAME}")
        put: dict[tuple[str, ...], Any] = {DEFAULT: NAME} if wish.default else {}
        put[(*RUNTIMES, NAME)] = make_handler(self.list_handlers(), wish)
        return {self.config: toml_edit.edit_toml(source, HEADER if text is None else text, put)}

    def unregister(self, path: str, text: str, original: str | None) -> str | None:
        """Remove our entries from a drop-in to which others were added."""
        now = self.parse(path, text)
        program = toml_edit.find_value(now, (*RUNTIMES, NAME, "runtime_path"))
        if not is_own_latch(self.name, program):
            return text
        drop: list[tuple[str, ...]] = [(*RUNTIMES, NAME)]
        if toml_edit.find_value(now, DEFAULT) == NAME:
            drop.append(DEFAULT)
        left = toml_edit.edit_toml(str(self.root.resolve(path)), text, {}, drop)
        return left if self.parse(path, left) or original is not None else None

    def list_handlers(self) -> dict[str, Any]:
        """Return the handlers of every other file; one named again replaces the former."""
        handlers: dict[str, Any] = {}
        for _, table in self.read_other_files():
            found = toml_edit.find_value(table, RUNTIMES)
            handlers |= found if isinstance(found, dict) else {}
        return handlers

    def read_other_files(self) -> list[tuple[Path, dict[str, Any]]]:
        """Read crio.conf and the other drop-ins, in CRI-O's order."""
        folder = self.root.resolve(DROP_INS)
        names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
        paths = [MAIN, *(f"{DROP_INS}/{name}" for name in names if not name.startswith("."))]
        found = []
        for path in paths:
            source = self.root.resolve(path)
            file = read_file(source) if path != CONFIG and source.is_file() else None
            if file:
                found.append((source, self.parse(path, decode(source, file.content))))
        return found

    def check(self, after: ConfigTexts) -> None:
        """Refuse if another file has a runtime of this name, or is broken."""
        if after.get(self.config) is None:
            return
        for path, table in self.read_other_files():
            if toml_edit.find_value(table, (*RUNTIMES, NAME)) is not None:
                raise make_conflict_error(str(path), f"crio.runtime.runtimes.{NAME}")

    def make_live_steps(
        self, changes: Sequence[FileChange], wish: LatchRegistration | None
    ) -> list[ChangeStep]:
        """Return the plain change: CRI-O is not restarted."""
        return [*changes]

    def list_notes(self, wish: LatchRegistration, after: ConfigTexts) -> list[str]:
        """Return how to use it, and what was not tried."""
        notes = [
            f"`handler: {NAME}` in a RuntimeClass, after `systemctl restart crio`",
            "CRI-O has not confirmed this: `crio config` must show "
            f"[{'.'.join((*RUNTIMES, NAME))}] (seclatch was tested on its files alone)",
        ]
        later = [
            path
            for path, table in self.read_other_files()
            if path.name > Path(CONFIG).name
            and path.parent == self.root.resolve(DROP_INS)
            and toml_edit.find_value(table, DEFAULT) is not None
        ]
        if wish.default and later:
            notes.append(f"{later[-1]} is read after ours and names another default runtime")
        return notes

    def list_removal_notes(self) -> list[str]:
        """Return the note that the removal needs a restart, too."""
        return ["CRI-O forgets the handler at its next start: systemctl restart crio"]


def make_handler(handlers: Mapping[str, Any], wish: LatchRegistration) -> dict[str, Any]:
    """Copy the handler of the same runtime, if it is one that calls a program as runc does."""
    model = handlers.get(wish.runtime)
    usable = isinstance(model, dict) and model.get("runtime_type", "oci") in ("", "oci")
    copy = deepcopy(dict(model)) if usable and isinstance(model, dict) else {}
    return {**copy, "runtime_path": wish.front, "runtime_type": "oci"}


def decode(path: Path, content: bytes) -> str:
    """Decode a file as UTF-8."""
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise InputError(str(path), f"byte {error.start}", "is not UTF-8") from None
