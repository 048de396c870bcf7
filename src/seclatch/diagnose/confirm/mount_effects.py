"""Find mounts of a container that outlive it, or through which it reaches others."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seclatch.diagnose.confirm.oci_values import get_list, get_object

# File systems that a runtime makes for one container alone.
_OWN_KINDS = ("proc", "tmpfs", "devpts", "mqueue")
_READ_ONLY_KINDS = ("sysfs", "cgroup", "cgroup2")
_BINDS = ("bind", "rbind")
_SHARED = ("shared", "rshared")
_RANDOM = re.compile(r"[0-9a-f]{64}")
_MOST_FILES = 20_000


@dataclass(frozen=True, slots=True)
class MountCheck:
    """Checks mounts; `words`: of the command, `same_view`: the runtime has this mount namespace.

    An engine gives a container directories whose path has its id, of 256 random bits, and so have
    volumes without a name; both go with the container. A path with other such digits may be
    anything: the command's own words are not taken for an engine's.
    """

    words: Sequence[str]
    same_view: bool

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
        if kind in _OWN_KINDS or (kind in _READ_ONLY_KINDS and closed):
            return ""
        return f"it mounts {target}: {kind or 'of no known kind'}"

    def _find_effect_of_bind(self, source: str, target: str, options: Sequence[str]) -> str:
        if self._is_temporary(source):
            return ""
        if not _is_read_only(options):
            return f"it may write to {source} of this host (at {target})"
        if not self.same_view:
            return f"it sees {source} of its engine's host (at {target})"
        return _find_opening(source)

    def _is_temporary(self, source: str) -> bool:
        random = [part for part in source.split("/") if _RANDOM.fullmatch(part)]
        return any(not any(part in word for word in self.words) for part in random)


def _is_read_only(options: Sequence[str]) -> bool:
    modes = [each for each in options if each in ("ro", "rro", "rw", "rrw")]
    return bool(modes) and modes[-1] in ("ro", "rro")


def _find_opening(source: str) -> str:
    """Return what leads out of a file or directory that is mounted read-only; "" if nothing does.

    A read-only mount keeps no one from connecting to a socket, or from writing to a FIFO
    (mount(2)); and a mount below it may be writable.
    """
    try:
        if reason := _describe_special(source, os.lstat(os.path.realpath(source)).st_mode):
            return reason
    except OSError as error:
        return f"{source} cannot be looked at: {error.strerror}"
    if below := next(_list_mounts_below(os.path.realpath(source)), ""):
        return f"it sees {source}, below which {below} is mounted"
    seen = 0
    for folder, _, names in os.walk(source, onerror=None):
        for name in names:
            seen += 1
            path = os.path.join(folder, name)  # noqa: PTH118 (many files)
            try:
                reason = _describe_special(path, os.lstat(path).st_mode)
            except OSError:
                continue
            if reason or seen > _MOST_FILES:
                return reason or f"it sees {source}, with more files than are looked at here"
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


def list_mount_points() -> Iterator[str]:
    """Yield where file systems are mounted in this mount namespace."""
    with open("/proc/self/mountinfo", "rb") as file:  # noqa: PTH123
        for line in file:
            yield os.fsdecode(re.sub(rb"\\([0-7]{3})", _decode_octal, line.split(b" ")[4]))


def _decode_octal(found: re.Match[bytes]) -> bytes:
    return bytes([int(found[1], 8)])
