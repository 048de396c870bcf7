"""Find mounts of a container that outlive it, or through which it reaches others."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from seclatch.diagnose.confirm.effects.oci_values import get_list, get_object
from seclatch.system.birth_time import read_birth_time

# File systems that a runtime makes for one container alone, and where they are mounted. A second
# proc would have open what is closed in /proc.
_OWN_PLACES: Mapping[str, str] = {"proc": "/proc", "devpts": "/dev/pts", "mqueue": "/dev/mqueue"}
# Those of the kernel, which are the container's own only where they are read-only or confined.
_KERNEL_PLACES: Mapping[str, str] = {
    "sysfs": "/sys",
    "cgroup": "/sys/fs/cgroup",
    "cgroup2": "/sys/fs/cgroup",
}
_BINDS = ("bind", "rbind")
_SHARED = ("shared", "rshared")
# What a read-only bind may be from: no link in it leads elsewhere, as those of proc do (proc(5)),
# and reading has no effect at others, as it may have with network and user space file systems.
_DISKS_TEXT = """
    bcachefs btrfs erofs ext2 ext3 ext4 f2fs iso9660 overlay ramfs rootfs squashfs tmpfs xfs zfs
"""
_DISKS = frozenset(_DISKS_TEXT.split())
_RANDOM = re.compile(r"[0-9a-f]{64}")
_MOST_FILES = 20_000


@dataclass(frozen=True, slots=True)
class MountCheck:
    """Checks mounts; `words`: of the command, `same_view`: the runtime has this mount namespace.

    `own_id`: of the container, by an engine, "" without one; `since`: it was made after that (ns of
    CLOCK_REALTIME). An engine gives a container directories whose path has its id, of 256 random
    bits, and so have volumes without a name; both go with the container. `namespace`: the inode of
    the runtime's mount namespace.
    """

    words: Sequence[str]
    same_view: bool
    own_id: str = ""
    since: int = 0
    namespace: int = 0

    def find_effects(self, config: Mapping[str, Any]) -> Iterator[str]:
        """Yield what is wrong with the mounts of a configuration."""
        kinds = [each.get("type") for each in get_list(get_object(config, "linux"), "namespaces")]
        for mount in get_list(config, "mounts"):
            if reason := self._find_effect(mount, own_cgroups="cgroup" in kinds):
                yield reason

    def _find_effect(self, mount: Mapping[str, Any], *, own_cgroups: bool) -> str:
        options = [str(each) for each in get_list(mount, "options", str)]
        kind, target = str(mount.get("type", "")), str(mount.get("destination", ""))
        if {*_SHARED} & {*options}:
            return f"what it mounts below {target} appears on this host"
        if kind in _BINDS or {*_BINDS} & {*options}:
            return self._find_effect_of_bind(str(mount.get("source", "")), target, options)
        closed = _is_read_only(options) or (own_cgroups and kind != "sysfs")
        if kind == "tmpfs" or _OWN_PLACES.get(kind) == target:
            return ""
        if closed and _KERNEL_PLACES.get(kind) == target:
            return ""
        return f"it mounts {target}: {kind or 'of no known kind'}"

    def _find_effect_of_bind(self, source: str, target: str, options: Sequence[str]) -> str:
        if not source.startswith("/"):
            return f"it is not known what it mounts at {target} ({source})"
        if self._is_temporary(source):
            return ""
        if not _is_read_only(options):
            return f"it may write to {source} of this host (at {target})"
        if not self.same_view:
            return f"it sees {source} of its engine's host (at {target})"
        return _find_opening(source)

    def _is_temporary(self, source: str) -> bool:
        """Return whether an engine made it for this container alone."""
        if not self.own_id:
            return False
        parts = PurePosixPath(source).parts
        unnamed = parts[-1] == "_data" and "volumes" in parts[-4:-2]
        if unnamed and _RANDOM.fullmatch(parts[-2]):
            named = any(parts[-2] in word for word in self.words)
            return not named and self._is_new(str(PurePosixPath(source).parent))
        return self.own_id in parts

    def _is_new(self, path: str) -> bool:
        """Return whether a directory was made since, or has gone with its container already."""
        root = "" if self.same_view else _find_root(self.namespace)
        if root is None:
            return False
        birth = read_birth_time(root + path)
        return not os.path.lexists(root + path) if birth is None else birth >= self.since


def _find_root(namespace: int) -> str | None:
    """Return where the files of a mount namespace are seen, by a process in it; None if nowhere."""
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if process.name.isdigit() and (process / "ns/mnt").stat().st_ino == namespace:
                return str(process / "root")
    return None


def _is_read_only(options: Sequence[str]) -> bool:
    modes = [each for each in options if each in ("ro", "rro", "rw", "rrw")]
    return bool(modes) and modes[-1] in ("ro", "rro")


def _find_opening(source: str) -> str:
    """Return what leads out of a file or directory that is mounted read-only; "" if nothing does.

    A read-only mount keeps no one from connecting to a socket, or from writing to a FIFO
    (mount(2)); and a mount below it may be writable.
    """
    real = os.path.realpath(source)
    try:
        mode = os.lstat(real).st_mode
    except OSError as error:
        return f"{source} cannot be looked at: {error.strerror}"
    if reason := _describe_special(source, mode):
        return reason
    kind = _find_kind(real)
    if kind not in _DISKS:
        return f"it sees {source}, which is on a file system of another kind than disks ({kind})"
    if below := next(_list_mounts_below(real), ""):
        return f"it sees {source}, below which {below} is mounted"
    return _find_opening_below(source)


def _find_opening_below(folder: str) -> str:
    seen = 0
    for parent, _, names in os.walk(folder, onerror=None):
        for name in names:
            seen += 1
            path = os.path.join(parent, name)  # noqa: PTH118 (many files)
            try:
                reason = _describe_special(path, os.lstat(path).st_mode)
            except OSError:
                continue
            if reason or seen > _MOST_FILES:
                return reason or f"it sees {folder}, with more files than are looked at here"
    return ""


def _describe_special(path: str, mode: int) -> str:
    if stat.S_ISSOCK(mode):
        return f"it may connect to {path}"
    if stat.S_ISFIFO(mode) or stat.S_ISBLK(mode) or stat.S_ISCHR(mode):
        return f"it may write to {path}"
    return ""


def _list_mounts_below(folder: str) -> Iterator[str]:
    for target in list_mount_points():
        if target.startswith(folder.rstrip("/") + "/"):
            yield target


def _find_kind(path: str) -> str:
    """Return the kind of the file system that has a path."""
    kind, longest = "", -1
    for target, each in _list_mounts():
        inside = path == target or path.startswith(target.rstrip("/") + "/")
        if inside and len(target) >= longest:  # of two mounts at one place the later one is seen
            kind, longest = each, len(target)
    return kind


def list_mount_points() -> Iterator[str]:
    """Yield where file systems are mounted in this mount namespace."""
    for target, _ in _list_mounts():
        yield target


def _list_mounts() -> Iterator[tuple[str, str]]:
    """Yield where a file system is mounted, and of which kind it is."""
    with open("/proc/self/mountinfo", "rb") as file:  # noqa: PTH123
        for line in file:
            fields = line.split(b" ")
            target = os.fsdecode(re.sub(rb"\\([0-7]{3})", _decode_octal, fields[4]))
            yield target, os.fsdecode(fields[fields.index(b"-", 6) + 1])


def _decode_octal(found: re.Match[bytes]) -> bytes:
    return bytes([int(found[1], 8)])
