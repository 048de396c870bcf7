"""containerd: a CRI runtime handler in config.toml; `ctr` needs only the latch's path."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from seclatch.engines import toml_edit
from seclatch.engines.engine import NAME, LatchRegistration, is_own_latch, make_conflict_error
from seclatch.engines.file_change import ChangeStep, FileChange
from seclatch.engines.host_root import HostRoot
from seclatch.errors import InputError

CONFIG = "/etc/containerd/config.toml"

SHIM = "io.containerd.runc.v2"

# The plugin that runs CRI containers, by version of the configuration file.
CRI = {2: "io.containerd.grpc.v1.cri", 3: "io.containerd.cri.v1.runtime"}
CRI[4] = CRI[3]

# Lists of annotations that CRI passes on to the runtime; it passes no others.
PASSED = ("pod_annotations", "container_annotations")
KEY = "seclatch.record"

# Names by which `disabled_plugins` switches CRI off ("cri" in version 1).
DISABLED = {"cri", *CRI.values()}


@dataclass(frozen=True)
class Containerd:
    """containerd-config.toml(5), versions 2 (containerd 1.x) and 3 (2.x)."""

    root: HostRoot
    name: str = "containerd"
    runtimes: tuple[str, ...] = ("runc", "crun")

    @property
    def config(self) -> str:
        """Return the daemon's default file."""
        return CONFIG

    @property
    def source(self) -> str:
        """Return the file as messages name it."""
        return str(self.root.resolve(self.config))

    def parse(self, text: str) -> dict[str, Any]:
        """Parse the configuration."""
        return toml_edit.parse_table(self.source, text)

    def register(self, text: str | None, wish: LatchRegistration) -> str | None:
        """Add the handler, modelled on the host's own one so that cgroup settings agree."""
        table = self.parse(text or "")
        if is_cri_disabled(table):
            return text
        version = self.version(table)
        containerd = ("plugins", CRI[version], "containerd")
        handlers = toml_edit.find_value(table, (*containerd, "runtimes"))
        handlers = handlers if isinstance(handlers, dict) else {}
        if NAME in handlers:
            raise make_conflict_error(self.source, f"runtimes.{NAME}")
        put: dict[tuple[str, ...], Any] = {}
        if "version" not in table:
            put["version",] = version
        if "runc" not in handlers and not handlers:
            # A `runtimes` table replaces containerd's built-in one, and CRI does not start
            # without the handler that default_runtime_name (built in: runc) names.
            put[(*containerd, "runtimes", "runc")] = {"runtime_type": SHIM}
        if wish.default:
            put[(*containerd, "default_runtime_name")] = NAME
        put[(*containerd, "runtimes", NAME)] = make_handler(handlers, wish)
        return toml_edit.edit_toml(self.source, text or "", put)

    def version(self, table: Mapping[str, Any]) -> int:
        """Return the file's version; for an empty file the version that the daemon reads."""
        if not table:
            return self.daemon_version()
        version = table.get("version", 1)
        if version in CRI and not isinstance(version, bool):
            return int(version)
        raise InputError(
            self.source,
            "version",
            f"configuration version {version} is not one this command can change (2 or 3)",
            remedy="bring it to version 2 (containerd 2: `containerd config migrate`), or only use "
            "ctr, which needs no configuration",
        )

    def daemon_version(self) -> int:
        """Ask the installed containerd: 2.x reads version 3, older ones version 2."""
        program = self.root.find_program("containerd") if self.root.is_host else None
        if program is None:
            return 2  # containerd 2.x reads that too
        done = subprocess.run(
            [program, "--version"], capture_output=True, text=True, check=False, timeout=60
        )
        found = re.search(r" v?(\d+)\.\d+", done.stdout)
        return 3 if found and int(found[1]) >= 2 else 2

    def unregister(self, text: str, original: str | None) -> str | None:
        """Remove the handler if it is the latch's, and the default if it names it."""
        now = self.parse(text)
        before = self.parse(original or "")
        left = text
        for plugin in dict.fromkeys(CRI.values()):
            left = self.remove_handler(left, ("plugins", plugin, "containerd"), now, before)
        if left == text or original is not None:
            return left
        rest = self.parse(left)
        return left if set(rest) - {"version"} else None

    def remove_handler(
        self, text: str, containerd: tuple[str, ...], now: dict[str, Any], before: dict[str, Any]
    ) -> str:
        """Undo what `register` set below one plugin."""
        runtimes = (*containerd, "runtimes")
        binary = toml_edit.find_value(now, (*runtimes, NAME, "options", "BinaryName"))
        if not is_own_latch(self.name, binary):
            return text
        drop, put = [(*runtimes, NAME)], {}
        handlers = toml_edit.find_value(now, runtimes)
        added = toml_edit.find_value(before, runtimes) is None
        if added and set(handlers) == {NAME, "runc"} and handlers["runc"] == {"runtime_type": SHIM}:
            drop.append((*runtimes, "runc"))
        default = (*containerd, "default_runtime_name")
        if toml_edit.find_value(now, default) == NAME:
            former = toml_edit.find_value(before, default)
            if former is None:
                drop.append(default)
            else:
                put[default] = former
        return toml_edit.edit_toml(self.source, text, put, drop)

    def check(self, after: str | None) -> None:
        """Check nothing further: `register` has read the result with a second parser."""

    def make_live_step(self, change: FileChange, wish: LatchRegistration | None) -> ChangeStep:
        """Return the plain change: containerd reads its file only at its next start."""
        return change

    def list_notes(self, wish: LatchRegistration, text: str | None) -> list[str]:
        """Return how to use it from ctr and from CRI."""
        notes = [f"use: ctr run --runc-binary {wish.front} IMAGE ID CMD (needs no restart)"]
        if text is not None and is_cri_disabled(self.parse(text)):
            notes.append("CRI is disabled in this file, so it has no runtime handler: unchanged")
            return notes
        return [
            *notes,
            f"CRI: `handler: {NAME}` in a RuntimeClass, after `systemctl restart containerd` "
            "(running containers stay)",
        ]

    def list_removal_notes(self) -> list[str]:
        """Return the note that the removal needs a restart, too."""
        return ["containerd forgets the handler at its next start: systemctl restart containerd"]


def is_cri_disabled(table: Mapping[str, Any]) -> bool:
    """Return whether `disabled_plugins` names CRI."""
    names = table.get("disabled_plugins", [])
    return isinstance(names, list) and any(
        isinstance(name, str) and name in DISABLED for name in names
    )


def make_handler(handlers: Mapping[str, Any], wish: LatchRegistration) -> dict[str, Any]:
    """Copy the handler of the same runtime (SystemdCgroup has to agree with kubelet's)."""
    model = handlers.get(wish.runtime) or handlers.get("runc") or {}
    usable = isinstance(model, dict) and model.get("runtime_type") == SHIM
    copy = deepcopy(dict(model)) if usable else {}
    options = copy.get("options")
    options = dict(options) if isinstance(options, dict) else {}
    made = {**copy, "runtime_type": SHIM, "options": {**options, "BinaryName": wish.front}}
    for key in PASSED if wish.recorder else ():
        passed = made.get(key)
        made[key] = [*(passed if isinstance(passed, list) else ()), KEY]
    return made
