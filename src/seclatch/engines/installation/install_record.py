"""Records of installations, for `uninstall`: one file for each engine, owned by root."""

from __future__ import annotations

import hashlib
import shlex
from pathlib import Path

import msgspec

from seclatch.engines.installation.file_change import read_file
from seclatch.engines.installation.host_root import HostRoot
from seclatch.errors import InputError, SeclatchError

RECORDS = "/var/lib/seclatch/install"

VERSION = 2


class ChangedFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A configuration file that an installation changed; `path` is inside the root."""

    path: str
    original: bytes | None  # the file before us; None: there was none
    installed: str | None  # SHA-256 of the file as we left it; None: left without a file


class InstallRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One installation. The record is written before the change that it describes."""

    engine: str
    runtime: str
    files: list[ChangedFile]
    directories: list[str]  # made by us, as absolute paths inside the root
    version: int = VERSION

    def encode(self) -> bytes:
        """Return the file's bytes; the same record gives the same bytes."""
        return msgspec.json.format(msgspec.json.encode(self)) + b"\n"

    def find_file(self, path: str) -> ChangedFile | None:
        """Return what is recorded of a configuration file."""
        return next((file for file in self.files if file.path == path), None)


class _OldRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Version 1: one file, at the engine's usual path."""

    engine: str
    runtime: str
    original: bytes | None
    installed: str | None
    directories: list[str]
    version: int = 1


# Where version 1 meant `original` and `installed` to be.
_OLD_FILES = {
    "docker": "/etc/docker/daemon.json",
    "podman": "/etc/containers/containers.conf.d/50-seclatch.conf",
    "containerd": "/etc/containerd/config.toml",
}


class _AnyVersion(msgspec.Struct):
    version: int = VERSION


def record_path(engine: str) -> str:
    """Return the path of an engine's record inside the root."""
    return f"{RECORDS}/{engine}.json"


def load_record(root: HostRoot, engine: str) -> InstallRecord | None:
    """Read and check an engine's record; None if the engine was never installed."""
    path = root.resolve(record_path(engine))
    try:
        file = read_file(path)
    except SeclatchError as error:
        raise SeclatchError(str(error), remedy=advise_moving_aside(path)) from error
    if file is None:
        return None
    refuse_writable(path, file.mode, file.uid, root)
    try:
        record = decode_record(path, file.content)
    except (msgspec.DecodeError, ValueError) as error:
        problem = f"not a record of an installation: {error}"
        raise InputError(str(path), "", problem, remedy=advise_moving_aside(path)) from None
    if record.engine != engine:
        problem = f"is of {record.engine!r} and not of {engine!r}"
        raise InputError(str(path), "engine", problem, remedy=advise_moving_aside(path))
    return record


def decode_record(path: Path, content: bytes) -> InstallRecord:
    """Decode a record of this or the former version. Raises InputError, msgspec.DecodeError."""
    version = msgspec.json.decode(content, type=_AnyVersion).version
    if version == 1:
        old = msgspec.json.decode(content, type=_OldRecord)
        file = ChangedFile(_OLD_FILES.get(old.engine, ""), old.original, old.installed)
        return InstallRecord(old.engine, old.runtime, [file], old.directories)
    if version != VERSION:
        raise InputError(
            str(path),
            "version",
            f"{version} is not understood, only 1 and {VERSION}",
            remedy="use the version of seclatch that installed it",
        )
    return msgspec.json.decode(content, type=InstallRecord)


def advise_moving_aside(path: Path) -> str:
    """Return the remedy for a record that cannot be read."""
    aside = shlex.join(["mv", str(path), f"{path}.broken"])
    return (
        f"{aside}, then run the command again: without the record, what is ours in the "
        "configuration is found by name, and the rest stays as it is"
    )


def refuse_writable(path: Path, mode: int, uid: int | None, root: HostRoot) -> None:
    """Refuse a record that others than root can write: it decides what is overwritten."""
    if root.is_live and (uid != 0 or mode & 0o022):
        raise InputError(
            str(path),
            "",
            "others than root can write it, so it is not trusted",
            remedy="see what it contains, then `chown root:root` and `chmod 600` it",
        )


def load_records(root: HostRoot) -> list[InstallRecord]:
    """Read every engine's record."""
    names = sorted(path.stem for path in root.resolve(RECORDS).glob("*.json"))
    records = [load_record(root, name) for name in names]
    return [record for record in records if record]


def hash_content(content: bytes | None) -> str | None:
    """Return the SHA-256 of a file's bytes, None for no file."""
    return None if content is None else hashlib.sha256(content).hexdigest()
