"""containerd: a CRI runtime handler in its configuration; `ctr` needs only the latch's path.

containerd 1.x: in the file whose CRI section counts (containerd_imports.py). containerd 2.x: in a
drop-in of its own, imported by config.toml; from 2.2 on a generated config.toml imports conf.d.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from seclatch.engines.containerd_dump import ConfirmStep, CriHandlers, read_handlers
from seclatch.engines.containerd_imports import (
    ImportedFile,
    find_owner,
    imports_path,
    merge_sections,
    read_imported_files,
    read_version,
    refuse_missing_imports,
)
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
from seclatch.errors import InputError, SeclatchError

CONFIG = "/etc/containerd/config.toml"
DROP_IN = "/etc/containerd/conf.d/50-seclatch.toml"
# With a wildcard: containerd does not start if a file that `imports` names without one is gone.
IMPORT = "/etc/containerd/conf.d/50-seclatch*.toml"
HEADER = """\
# Written by `seclatch install containerd`, removed by `seclatch uninstall containerd`.
"""

SHIM = "io.containerd.runc.v2"

# The plugin that runs CRI containers, by version of the configuration file.
CRI = {2: "io.containerd.grpc.v1.cri", 3: "io.containerd.cri.v1.runtime"}
CRI[4] = CRI[3]

# Lists of annotations that CRI passes on to the runtime; it passes no others.
PASSED = ("pod_annotations", "container_annotations")
RECORD_KEYS = ("seclatch.record",)
RUNNING_KEYS = tuple(
    f"seclatch.{name}{suffix}"
    for name in ("running", "ready", "unready", "exec", "limit")
    for suffix in ("", ".*")
)
"""With a suffix for one container of a pod (seclatch.tighten.automatic.running_annotations)."""

# Names by which `disabled_plugins` switches CRI off ("cri" in version 1).
DISABLED = {"cri", *CRI.values()}


@dataclass(frozen=True)
class Containerd:
    """containerd-config.toml(5), versions 2 (containerd 1.x) and 3 (2.x)."""

    root: HostRoot
    name: str = "containerd"
    runtimes: tuple[str, ...] = ("runc", "crun")
    runtime_directories: tuple[str, ...] = ()

    @property
    def config(self) -> str:
        """Return the daemon's default file."""
        return CONFIG

    def list_configs(self) -> list[str]:
        """List the default file, the drop-in, and all that is imported now."""
        files = read_imported_files(self.root, CONFIG, self.read_text)
        return list(dict.fromkeys([CONFIG, DROP_IN, *(file.path for file in files)]))

    def read_text(self, path: str) -> str | None:
        """Read a configuration file."""
        source = self.root.resolve(path)
        file = read_file(source)
        try:
            return file.content.decode() if file else None
        except UnicodeDecodeError as error:
            raise InputError(str(source), f"byte {error.start}", "is not UTF-8") from None

    def parse(self, path: str, text: str) -> dict[str, Any]:
        """Parse a configuration file."""
        return toml_edit.parse_table(self.name_source(path), text)

    def name_source(self, path: str) -> str:
        """Return a file as messages name it."""
        return str(self.root.resolve(path))

    def register(self, texts: ConfigTexts, wish: LatchRegistration) -> ConfigTexts:
        """Add the handler, modelled on the host's own one so that cgroup settings agree."""
        files = read_imported_files(self.root, CONFIG, texts.get)
        if is_cri_disabled(files):
            return {}
        refuse_missing_imports(self.root, files)
        version = self.find_version(files)
        if self.takes_drop_in(version):
            return self.register_in_drop_in(texts, files, version, wish)
        return self.register_in_owner(texts, files, version, wish)

    def register_in_owner(
        self,
        texts: ConfigTexts,
        files: Sequence[ImportedFile],
        version: int,
        wish: LatchRegistration,
    ) -> ConfigTexts:
        """Add the handler to the section that counts, as containerd 1.x needs it."""
        owner = find_owner(files, CRI[version])
        path = owner.path if owner else CONFIG
        containerd = ("plugins", CRI[version], "containerd")
        handlers = toml_edit.find_value(owner.table if owner else {}, (*containerd, "runtimes"))
        handlers = handlers if isinstance(handlers, dict) else {}
        self.refuse_other_handler(files, version)
        put: dict[tuple[str, ...], Any] = {}
        if not files or not files[0].table:
            put["version",] = version
        if not handlers:
            # A `runtimes` table replaces containerd's built-in one, and CRI does not start
            # without the handler that default_runtime_name (built in: runc) names.
            put[(*containerd, "runtimes", "runc")] = {"runtime_type": SHIM}
        if wish.default:
            put[(*containerd, "default_runtime_name")] = NAME
        put[(*containerd, "runtimes", NAME)] = make_handler(handlers, wish)
        return {path: toml_edit.edit_toml(self.name_source(path), texts.get(path) or "", put)}

    def register_in_drop_in(
        self,
        texts: ConfigTexts,
        files: Sequence[ImportedFile],
        version: int,
        wish: LatchRegistration,
    ) -> ConfigTexts:
        """Write the drop-in, then its import: the sections of containerd 2.x are merged."""
        containerd = ("plugins", CRI[version], "containerd")
        merged = merge_sections(files, CRI[version])
        handlers = toml_edit.find_value(merged, ("containerd", "runtimes"))
        self.refuse_other_handler(files, version)
        put: dict[tuple[str, ...], Any] = {("version",): version}
        if wish.default:
            put[(*containerd, "default_runtime_name")] = NAME
        handlers = handlers if isinstance(handlers, dict) else {}
        put[(*containerd, "runtimes", NAME)] = make_handler(handlers, wish)
        former = texts.get(DROP_IN)
        text = toml_edit.edit_toml(self.name_source(DROP_IN), former or HEADER, put)
        return {DROP_IN: text, **self.add_import(texts, files, version)}

    def add_import(
        self, texts: ConfigTexts, files: Sequence[ImportedFile], version: int
    ) -> ConfigTexts:
        """Let config.toml import the drop-in if no file does."""
        if imports_path(files, DROP_IN):
            return {}
        table = files[0].table if files else {}
        names = table.get("imports", [])
        put: dict[tuple[str, ...], Any] = {} if table else {("version",): version}
        put["imports",] = [*(names if isinstance(names, list) else ()), IMPORT]
        return {CONFIG: toml_edit.edit_toml(self.name_source(CONFIG), texts[CONFIG] or "", put)}

    def refuse_other_handler(self, files: Sequence[ImportedFile], version: int) -> None:
        """Refuse a handler of the latch's name that this command did not register."""
        place = ("plugins", CRI[version], "containerd", "runtimes", NAME)
        for file in files:
            if toml_edit.find_value(file.table, place) is not None:
                raise make_conflict_error(self.name_source(file.path), f"runtimes.{NAME}")

    def find_version(self, files: Sequence[ImportedFile]) -> int:
        """Return the configuration's version; of an empty one that which the daemon reads."""
        if not any(file.table for file in files):
            release = self.find_release()
            return 3 if release and release[0] >= 2 else 2  # containerd 2.x reads that too
        version = read_version(files)
        if version in CRI and isinstance(version, int) and not isinstance(version, bool):
            return version
        raise InputError(
            self.name_source(CONFIG),
            "version",
            f"configuration version {version} is not one this command can change (2 or 3)",
            remedy="bring it to version 2 (containerd 2: `containerd config migrate`), or only use "
            "ctr, which needs no configuration",
        )

    def takes_drop_in(self, version: int) -> bool:
        """Return whether containerd merges a plugin's sections; a tree is judged by its files."""
        release = self.find_release()
        return release[0] >= 2 if release else version > 2

    def find_program(self) -> str | None:
        """Find the installed containerd; a tree's own one is not executed."""
        return self.root.find_program("containerd") if self.root.is_live else None

    def find_release(self) -> tuple[int, int] | None:
        """Ask the installed containerd for its version."""
        program = self.find_program()
        if program is None:
            return None
        command = self.root.command(program, "--version")
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        found = re.search(r" v?(\d+)\.(\d+)", done.stdout)
        return (int(found[1]), int(found[2])) if found else None

    def unregister(self, path: str, text: str, original: str | None) -> str | None:
        """Remove the handler if it is the latch's, the default if it names it, and the import."""
        now = self.parse(path, text)
        before = self.parse(path, original or "")
        left = text
        for plugin in dict.fromkeys(CRI.values()):
            left = self.remove_handler(path, left, ("plugins", plugin, "containerd"), now, before)
        names = now.get("imports")
        if isinstance(names, list) and IMPORT in names and IMPORT not in before.get("imports", ()):
            rest = [name for name in names if name != IMPORT]
            gone = not rest and "imports" not in before
            put: dict[tuple[str, ...], Any] = {} if gone else {("imports",): rest}
            drop = [("imports",)] if gone else []
            left = toml_edit.edit_toml(self.name_source(path), left, put, drop)
        if left == text or original is not None:
            return left
        return left if set(self.parse(path, left)) - {"version"} else None

    def remove_handler(
        self,
        path: str,
        text: str,
        containerd: tuple[str, ...],
        now: dict[str, Any],
        before: dict[str, Any],
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
        return toml_edit.edit_toml(self.name_source(path), text, put, drop)

    def check(self, after: ConfigTexts) -> None:
        """Check nothing further before the first write: containerd itself reads the result."""

    def make_live_steps(
        self, changes: Sequence[FileChange], wish: LatchRegistration | None
    ) -> list[ChangeStep]:
        """Return the changes and containerd's confirmation; it is not restarted."""
        program = self.find_program()
        if program is None or (wish and self.is_disabled()):
            return [*changes]
        try:
            before = read_handlers(self.root, program, CONFIG)
        except SeclatchError:
            if wish:
                raise
            return [*changes]  # what is broken already does not keep the latch installed
        if changes:
            return [*changes, ConfirmStep(self.root, program, CONFIG, before, wish)]
        ConfirmStep(self.root, program, CONFIG, CriHandlers({}, None), wish).apply()
        return []

    def find_unconfirmed(self) -> str | None:
        """Say why containerd has no handler of the latch; "" if it has, None without CRI."""
        program = self.find_program()
        if program is None or self.is_disabled():
            return None
        row = read_handlers(self.root, program, CONFIG).rows.get(NAME, {})
        binary = toml_edit.find_value(row, ("options", "BinaryName"))
        return "" if is_own_latch(self.name, binary) else f"there is no handler {NAME} of the latch"

    def is_disabled(self) -> bool:
        """Return whether the files that are there now switch CRI off."""
        return is_cri_disabled(read_imported_files(self.root, CONFIG, self.read_text))

    def list_notes(self, wish: LatchRegistration, after: ConfigTexts) -> list[str]:
        """Return how to use it from ctr and from CRI."""
        notes = [f"use: ctr run --runc-binary {wish.front} IMAGE ID CMD (needs no restart)"]
        if is_cri_disabled(read_imported_files(self.root, CONFIG, after.get)):
            notes.append("CRI is disabled in this file, so it has no runtime handler: unchanged")
            return notes
        if self.find_program() is None:
            notes.append(
                "no containerd has confirmed this: `containerd config dump` on the host must show "
                f"runtimes.{NAME}"
            )
        return [
            *notes,
            f"CRI: `handler: {NAME}` in a RuntimeClass, after `systemctl restart containerd` "
            "(running containers stay)",
        ]

    def list_removal_notes(self) -> list[str]:
        """Return the note that the removal needs a restart, too."""
        return ["containerd forgets the handler at its next start: systemctl restart containerd"]


def is_cri_disabled(files: Sequence[ImportedFile]) -> bool:
    """Return whether `disabled_plugins` of any file names CRI: containerd joins the lists."""
    lists = [file.table.get("disabled_plugins", []) for file in files]
    return any(
        isinstance(name, str) and name in DISABLED
        for names in lists
        if isinstance(names, list)
        for name in names
    )


def make_handler(handlers: Mapping[str, Any], wish: LatchRegistration) -> dict[str, Any]:
    """Copy the handler of the same runtime (SystemdCgroup has to agree with kubelet's)."""
    model = handlers.get(wish.runtime) or handlers.get("runc") or {}
    usable = isinstance(model, dict) and model.get("runtime_type") == SHIM
    copy = deepcopy(dict(model)) if usable else {}
    options = copy.get("options")
    options = dict(options) if isinstance(options, dict) else {}
    made = {**copy, "runtime_type": SHIM, "options": {**options, "BinaryName": wish.front}}
    wanted = (RECORD_KEYS if wish.recorder else ()) + (
        RUNNING_KEYS if wish.running_profiles else ()
    )
    for key in PASSED if wanted else ():
        passed = made.get(key)
        made[key] = [*(passed if isinstance(passed, list) else ()), *wanted]
    return made
