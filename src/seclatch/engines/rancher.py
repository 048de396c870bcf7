"""k3s and RKE2: containerd's configuration is generated at each start, so its source is changed.

Releases from 2026 on import a drop-in directory. Earlier ones have a template in Go's language; one
that extends the distribution's own (`{{ template "base" . }}`) stays right after an upgrade.
Planned by their documentation and tested on files: Debian has no package of them to run.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any

from seclatch.engines.containerd import CRI, make_handler
from seclatch.engines.installation import toml_edit
from seclatch.engines.installation.engine import (
    LATCHES,
    NAME,
    ConfigTexts,
    LatchRegistration,
    is_own_latch,
    make_conflict_error,
)
from seclatch.engines.installation.file_change import ChangeStep, FileChange, read_file
from seclatch.engines.installation.host_root import HostRoot
from seclatch.errors import InputError, SeclatchError

DROP_INS = {2: "config.toml.d", 3: "config-v3.toml.d"}
TEMPLATES = {2: "config.toml.tmpl", 3: "config-v3.toml.tmpl"}
SERVICES = {"k3s": "k3s (or k3s-agent)", "rke2": "rke2-server (or rke2-agent)"}
BASE = '{{ template "base" . }}\n'
_FILE = "50-seclatch.toml"
_WRITTEN = "# Written by `seclatch install`.\n"
_BEGIN, _END = "# Begin of what `seclatch install` has written.\n", "# End of it.\n"
_BLOCK = re.compile(rf"\n?{re.escape(_BEGIN)}.*?{re.escape(_END)}", re.DOTALL)


@dataclass(frozen=True)
class RancherContainerd:
    """One of the two distributions, by its name."""

    root: HostRoot
    name: str
    runtimes: tuple[str, ...] = ("runc", "crun")

    @property
    def runtime_directories(self) -> tuple[str, ...]:
        """Return where its own runc is: before PATH, as its containerd looks for it."""
        own = {"k3s": "data/current/bin", "rke2": "bin"}
        return (f"/var/lib/rancher/{self.name}/{own[self.name]}",)

    @property
    def folder(self) -> str:
        """Return the directory of containerd's configuration."""
        return f"/var/lib/rancher/{self.name}/agent/etc/containerd"

    @property
    def config(self) -> str:
        """Return the file to change: the drop-in where the configuration imports it."""
        table = self.read_generated()
        version = self.find_version(table)
        drop_in = f"{self.folder}/{DROP_INS[version]}/{_FILE}"
        names = table.get("imports", [])
        if any(isinstance(name, str) and fnmatch(drop_in, name) for name in names):
            return drop_in
        return f"{self.folder}/{TEMPLATES[version]}"

    def read_generated(self) -> dict[str, Any]:
        """Read the configuration of the last start. Raises SeclatchError if there was none."""
        path = f"{self.folder}/config.toml"
        file = read_file(self.root.resolve(path))
        if file is None:
            raise SeclatchError(
                f"reading {self.root.resolve(path)}: there is none: {self.name} has not run here",
                remedy=f"start {self.name} once: its file says how containerd is configured",
            )
        try:
            return self.parse(path, file.content.decode())
        except UnicodeDecodeError as error:
            raise InputError(path, f"byte {error.start}", "is not UTF-8") from None

    def find_version(self, table: dict[str, Any]) -> int:
        """Return the version of the configuration's format."""
        version = table.get("version")
        if isinstance(version, int) and version in DROP_INS:
            return version
        raise InputError(
            f"{self.folder}/config.toml", "version", f"{version!r} is neither 2 nor 3", remedy=""
        )

    def list_configs(self) -> list[str]:
        """Return the one file."""
        return [self.config]

    def parse(self, path: str, text: str) -> dict[str, Any]:
        """Parse a configuration; a template is no TOML before it is rendered."""
        if path.endswith(".tmpl"):
            return {"template": text}
        return toml_edit.parse_table(str(self.root.resolve(path)), text)

    def register(self, texts: ConfigTexts, wish: LatchRegistration) -> ConfigTexts:
        """Write the handler, with the settings of the one beside it."""
        if wish.default:
            raise SeclatchError(
                f"making the latch the default runtime of {self.name}: its own option says that",
                remedy=f"install without --default, and `default-runtime: {NAME}` in "
                f"/etc/rancher/{self.name}/config.yaml",
            )
        table, path = self.read_generated(), self.config
        version = self.find_version(table)
        runtimes = ("plugins", CRI[version], "containerd", "runtimes")
        found = toml_edit.find_value(table, runtimes)
        handlers = found if isinstance(found, dict) else {}
        if not self._is_own(handlers.get(NAME)):
            raise make_conflict_error(f"{self.folder}/config.toml", f"runtimes.{NAME}")
        put: dict[tuple[str, ...], Any] = {(*runtimes, NAME): make_handler(handlers, wish)}
        former = texts[path]
        if not path.endswith(".tmpl"):
            text = former or f"{_WRITTEN}version = {version}\n"
            return {path: toml_edit.edit_toml(path, text, put)}
        kept = BASE if former is None else former if former.endswith("\n") else f"{former}\n"
        if re.search(rf"runtimes\.[\"']?{NAME}\b", kept):
            raise make_conflict_error(path, f"runtimes.{NAME}")
        return {path: f"{kept}\n{_BEGIN}{toml_edit.edit_toml(path, '', put)}{_END}"}

    def _is_own(self, handler: object) -> bool:
        """Return whether a handler of the latch's name is the latch's, or there is none."""
        if handler is None:
            return True
        table = handler if isinstance(handler, dict) else {}
        return is_own_latch(self.name, toml_edit.find_value(table, ("options", "BinaryName")))

    def unregister(self, path: str, text: str, original: str | None) -> str | None:
        """Take our entries out of a file to which others were added."""
        if path.endswith(".tmpl"):
            left = _BLOCK.sub("", text)
            return None if original is None and left.strip() in ("", BASE.strip()) else left
        now, left = self.parse(path, text), text
        for plugin in CRI.values():
            place = ("plugins", plugin, "containerd", "runtimes", NAME)
            handler = toml_edit.find_value(now, place)
            if handler is not None and self._is_own(handler):
                left = toml_edit.edit_toml(path, left, {}, [place])
        rest = set(self.parse(path, left)) - {"version"}
        return left if rest or original is not None else None

    def check(self, after: ConfigTexts) -> None:
        """Check nothing further: the distribution renders and reads it at its next start."""

    def make_live_steps(
        self, changes: Sequence[FileChange], wish: LatchRegistration | None
    ) -> list[ChangeStep]:
        """Return the plain change: nothing is restarted."""
        return [*changes]

    def list_notes(self, wish: LatchRegistration, after: ConfigTexts) -> list[str]:
        """Return how to use it, and what was not tried."""
        return [
            f"CRI: `handler: {NAME}` in a RuntimeClass, after `systemctl restart "
            f"{SERVICES[self.name]}` (running containers stay)",
            f"{self.name} has not confirmed this: after that {self.folder}/config.toml, or what it "
            f"imports, must name {LATCHES}/{self.name}/{wish.runtime} (seclatch was tested on its "
            "files alone)",
        ]

    def list_removal_notes(self) -> list[str]:
        """Return the note that the removal needs a restart, too."""
        return [f"{self.name} forgets the handler at its next start"]


def make_k3s(root: HostRoot) -> RancherContainerd:
    """Make the engine of k3s."""
    return RancherContainerd(root, "k3s")


def make_rke2(root: HostRoot) -> RancherContainerd:
    """Make the engine of RKE2."""
    return RancherContainerd(root, "rke2")
