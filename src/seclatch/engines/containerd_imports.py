"""Read containerd's configuration as the daemon does: its file, then those that `imports` names.

containerd 1.x takes a plugin's whole section from the last file that has one, so that a drop-in
with one CRI setting hides every runtime handler of the files before it. containerd 2.x merges
sections key by key. (`LoadConfig` and `mergeConfig` in containerd's server/config/config.go.)
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from seclatch.engines.installation import toml_edit
from seclatch.engines.installation.host_root import HostRoot
from seclatch.errors import InputError

MAX_FILES = 200
_SPECIAL = re.compile(r"[*?\[]")

ReadText = Callable[[str], str | None]


@dataclass(frozen=True)
class ImportedFile:
    """One file, with its path inside the root and as it is parsed."""

    path: str
    table: dict[str, Any]


def read_imported_files(root: HostRoot, main: str, read: ReadText) -> list[ImportedFile]:
    """Read the main file and all that it imports, in containerd's order (breadth first)."""
    found: dict[str, ImportedFile] = {}
    names: dict[str, str] = {}  # the first path of each file: by another one it is read again
    pending = [main]
    while pending:
        path = pending.pop(0)
        source = str(root.resolve(path))
        name = names.setdefault(source, path)
        if path in found or (text := read(name)) is None:
            continue
        if len(found) == MAX_FILES:
            raise InputError(source, "", f"is imported by {main} with {MAX_FILES} other files")
        table = toml_edit.parse_table(source, text)
        found[path] = ImportedFile(name, table)
        for pattern in list_imports(path, table):
            pending += expand_pattern(root, pattern)
    return list(found.values())


def refuse_missing_imports(root: HostRoot, files: Sequence[ImportedFile]) -> None:
    """Refuse an import that names a missing file, without a wildcard.

    containerd 1.x does not start then; 2.x starts, and ignores the files that would come after.
    """
    for file in files:
        for pattern in list_imports(file.path, file.table):
            if not _SPECIAL.search(pattern) and not root.resolve(pattern).exists():
                raise InputError(
                    str(root.resolve(file.path)),
                    "imports",
                    f"{pattern} is not there, and containerd reads no further file",
                    remedy="remove that import, or put the file there",
                )


def list_imports(path: str, table: Mapping[str, Any]) -> list[str]:
    """Return the patterns that a file imports, as absolute paths."""
    names = table.get("imports", [])
    names = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    return [os.path.normpath(PurePosixPath(path).parent / name) for name in names]


def expand_pattern(root: HostRoot, pattern: str) -> list[str]:
    """List the paths inside the root that match; one without wildcards matches itself."""
    paths = [""]
    for part in PurePosixPath(pattern).parts[1:]:
        if _SPECIAL.search(part):
            paths = [f"{path}/{name}" for path in paths for name in _match_names(root, path, part)]
        else:
            paths = [f"{path}/{part}" for path in paths]
    return paths


def _match_names(root: HostRoot, directory: str, part: str) -> list[str]:
    """List the matching names in the order of Go's filepath.Glob; `[^…]` negates there."""
    try:
        names = sorted(os.listdir(root.resolve(directory or "/")))  # noqa: PTH208
    except OSError:
        return []
    return fnmatch.filter(names, part.replace("[^", "[!"))


def imports_path(files: Sequence[ImportedFile], path: str) -> bool:
    """Return whether one of the files imports a path, be the file there or not."""
    wanted = PurePosixPath(path).parts
    return any(
        len(parts) == len(wanted)
        and all(fnmatch.fnmatchcase(*pair) for pair in zip(wanted, parts, strict=True))
        for file in files
        for pattern in list_imports(file.path, file.table)
        for parts in [PurePosixPath(pattern).parts]
    )


def find_owner(files: Sequence[ImportedFile], plugin: str) -> ImportedFile | None:
    """Return the last file with a section for this plugin: the one that containerd 1.x uses."""
    owners = [file for file in files if toml_edit.find_value(file.table, ("plugins", plugin))]
    return owners[-1] if owners else None


def merge_sections(files: Sequence[ImportedFile], plugin: str) -> dict[str, Any]:
    """Return a plugin's section as containerd 2.x merges it."""
    merged: dict[str, Any] = {}
    for file in files:
        section = toml_edit.find_value(file.table, ("plugins", plugin))
        if isinstance(section, dict):
            merged = merge_tables(merged, section)
    return merged


def merge_tables(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return `below` with the values of `above`, table by table."""
    merged = dict(below)
    for key, value in above.items():
        former = merged.get(key)
        if isinstance(former, dict) and isinstance(value, dict):
            merged[key] = merge_tables(former, value)
        else:
            merged[key] = value
    return merged


def read_version(files: Sequence[ImportedFile]) -> object:
    """Return the configuration's version: the main file's, else the last that a file has."""
    versions = [file.table["version"] for file in files if file.table.get("version", 0) != 0]
    main = files[0].table.get("version", 0) if files else 0
    return main or (versions[-1] if versions else 1)
