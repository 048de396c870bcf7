"""Where the kernel keeps what the programs read: from BTF, remembered until the kernel changes."""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from seclatch.errors import SeclatchError
from seclatch.recording.files.recorder_cache import read_cached, write_cached

if TYPE_CHECKING:
    from seclatch.system.btf import Btf

_COMMON = (
    "task_struct.pid",
    "task_struct.tgid",
    "task_struct.ptrace",
    "task_struct.exit_code",
    "task_struct.flags",
    "task_struct.real_parent",
    "task_struct.atomic_flags",
    "task_struct.seccomp.mode",
    "task_struct.seccomp.filter_count",
    "task_struct.pending.signal",
    "task_struct.comm",
    "task_struct.mm",
    "task_struct.fs",
    "task_struct.nsproxy",
    "task_struct.cred",
    "task_struct.thread_pid",
    "task_struct.signal",
    "signal_struct.live",
    "fs_struct.root.dentry",
    "nsproxy.mnt_ns",
    "nsproxy.pid_ns_for_children",
    "mnt_namespace.ns.inum",
    "nsproxy.net_ns",
    "net.ns.inum",
    "nsproxy.ipc_ns",
    "ipc_namespace.ns.inum",
    "nsproxy.uts_ns",
    "uts_namespace.ns.inum",
    "nsproxy.cgroup_ns",
    "cgroup_namespace.ns.inum",
    "pid.level",
    "pid.numbers",
    "upid.nr",
    "upid.ns",
    "pid_namespace.ns.inum",
    "pid_namespace.child_reaper",
    "cred.uid",
    "cred.gid",
    "cred.euid",
    "cred.egid",
    "cred.cap_inheritable",
    "cred.cap_permitted",
    "cred.cap_effective",
    "cred.cap_bset",
    "cred.cap_ambient",
    "cred.user_ns",
    "user_namespace.ns.inum",
    "mm_struct.arg_start",
    "mm_struct.arg_end",
    "linux_binprm.filename",
    "bpf_iter_task()",
)
_OF_MACHINE = {
    "x86_64": (
        "task_struct.thread_info.status",
        "pt_regs.orig_ax",
        "pt_regs.ip",
        "pt_regs.di",
        "pt_regs.si",
        "pt_regs.dx",
        "pt_regs.r10",
        "pt_regs.r8",
        "pt_regs.r9",
        "pt_regs.bx",
        "pt_regs.cx",
        "pt_regs.bp",
    ),
    "aarch64": (
        "task_struct.thread_info.flags",
        "pt_regs.syscallno",
        "pt_regs.orig_x0",
        "pt_regs.regs",
        "pt_regs.pc",
    ),
}

Offsets = dict[str, int]
"""Byte offsets by dotted path, `task_struct.seccomp.filter_count`."""


def find_offsets() -> Offsets:
    """Answer all offsets that the programs need. Raises SeclatchError, saying what is missing."""
    machine = os.uname().machine
    if machine not in _OF_MACHINE:
        raise SeclatchError(
            f"recording with eBPF: not made for {machine} yet", remedy="x86-64 and arm64 are served"
        )
    return find_places(_COMMON + _OF_MACHINE[machine], "recording with eBPF")


def find_places(wanted: tuple[str, ...], doing: str) -> Offsets:
    """Answer offsets by path, ids of functions by `name()`. Raises SeclatchError, as above."""
    key = _kernel_key(wanted)
    remembered = read_cached(key, Offsets) if key else None
    if remembered is not None and set(remembered) == set(wanted):
        return remembered
    found = _read(wanted, doing)
    if key:
        write_cached(key, msgspec.json.encode(found))
    return found


def _read(wanted: tuple[str, ...], doing: str) -> Offsets:
    from seclatch.system.btf import VMLINUX, Btf, BtfError

    try:
        btf = Btf.of_kernel()
        return {path: _look_up(btf, path) for path in wanted}
    except FileNotFoundError as error:
        raise SeclatchError(
            f"{doing}: this kernel has no type information ({VMLINUX})",
            remedy="it takes a kernel built with CONFIG_DEBUG_INFO_BTF=y, as distributions' are",
        ) from error
    except OSError as error:
        raise SeclatchError(f"reading {VMLINUX}: {error.strerror}") from error
    except BtfError as error:
        raise SeclatchError(
            f"reading {VMLINUX}: {error}",
            remedy=f"{doing} takes a kernel with CONFIG_SECCOMP_FILTER=y, Linux 5.15 or newer",
        ) from error


def _look_up(btf: Btf, path: str) -> int:
    if path.endswith("()"):
        return btf.function(path.removesuffix("()"))
    return btf.offset(path) if "." in path else btf.size(path)


def _kernel_key(wanted: tuple[str, ...]) -> str | None:
    """Name the file for this very kernel build (its build id is in /sys/kernel/notes) and for what
    we ask of it.

    A checksum is enough: whoever could forge one could replace the kernel.
    """
    try:
        notes = Path("/sys/kernel/notes").read_bytes()
    except OSError:
        return None
    asked = zlib.crc32("\0".join(wanted).encode())
    return f"btf-{zlib.crc32(notes):08x}{zlib.adler32(notes):08x}{asked:08x}.json"
