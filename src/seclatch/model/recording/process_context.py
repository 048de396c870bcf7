"""Credentials, namespaces and seccomp state of a process."""

from __future__ import annotations

from typing import Annotated

import msgspec

Mask = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{1,16}$")]
"""Up to 16 hexadecimal digits."""


class CapabilitySets(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Capability sets as in /proc/PID/status: 16 hexadecimal digits, bit 0 is CAP_CHOWN."""

    inheritable: Mask
    permitted: Mask
    effective: Mask
    bounding: Mask
    ambient: Mask


class NamespaceInodes(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Inode numbers as in /proc/PID/ns; 0 where unknown."""

    mnt: int = 0
    pid: int = 0
    user: int = 0
    net: int = 0
    ipc: int = 0
    uts: int = 0
    cgroup: int = 0


class ProcessContext(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A state of processes. Ids are the host's.

    `seccomp` is as in /proc/PID/status: 0 off, 1 strict, 2 filter; `filters` is their number;
    `suspended` while a tracer (the latch) suspends them.
    """

    uid: int
    gid: int
    euid: int
    egid: int
    capabilities: CapabilitySets | None = None
    namespaces: NamespaceInodes = NamespaceInodes()
    no_new_privs: bool = False
    seccomp: int = 0
    filters: int = 0
    suspended: bool = False


class ContextChange(msgspec.Struct, frozen=True, kw_only=True):
    """From `time` on a process was in the context with this number in the recording's `contexts`.

    Read at fork, exec, and when filters were loaded; `thread` is the one that did so.
    """

    time: float
    thread: int
    context: int
