"""Where the kernel keeps what the programs read: from BTF, remembered until the kernel changes."""

from __future__ import annotations

import contextlib
import os
import stat
import zlib
from pathlib import Path

import msgspec

from seclatch.errors import SeclatchError
from seclatch.system.btf import VMLINUX, Btf, BtfError

_COMMON = (
    "task_struct.pid",
    "task_struct.tgid",
    "task_struct.ptrace",
    "task_struct.exit_code",
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
    "mnt_namespace.ns.inum",
    "pid.level",
    "pid.numbers",
    "upid.nr",
    "upid.ns",
    "pid_namespace.ns.inum",
    "cred.uid",
    "cred.gid",
    "cred.user_ns",
    "user_namespace.ns.inum",
    "mm_struct.arg_start",
    "mm_struct.arg_end",
    "linux_binprm.filename",
)
_OF_MACHINE = {
    "x86_64": (
        "task_struct.thread_info.status",
        "pt_regs.orig_ax",
        "pt_regs.di",
        "pt_regs.si",
        "pt_regs.dx",
        "pt_regs.r10",
    ),
    "aarch64": ("task_struct.thread_info.flags", "pt_regs.syscallno", "pt_regs.orig_x0",
                "pt_regs.regs"),
}  # fmt: skip

Offsets = dict[str, int]
"""Byte offsets by dotted path, `task_struct.seccomp.filter_count`."""


def find_offsets() -> Offsets:
    """Answer all offsets that the programs need. Raises SeclatchError, saying what is missing."""
    machine = os.uname().machine
    if machine not in _OF_MACHINE:
        raise SeclatchError(
            f"recording with eBPF: not made for {machine} yet", remedy="x86-64 and arm64 are served"
        )
    wanted = _COMMON + _OF_MACHINE[machine]
    key = _kernel_key(wanted)
    remembered = _recall(key)
    if remembered is not None and set(remembered) == set(wanted):
        return remembered
    found = _read(wanted)
    _remember(key, found)
    return found


def _read(wanted: tuple[str, ...]) -> Offsets:
    try:
        btf = Btf.of_kernel()
        return {path: btf.offset(path) for path in wanted}
    except FileNotFoundError as error:
        raise SeclatchError(
            f"recording with eBPF: this kernel has no type information ({VMLINUX})",
            remedy="it takes a kernel built with CONFIG_DEBUG_INFO_BTF=y, as distributions' are",
        ) from error
    except OSError as error:
        raise SeclatchError(f"reading {VMLINUX}: {error.strerror}") from error
    except BtfError as error:
        raise SeclatchError(
            f"reading {VMLINUX}: {error}",
            remedy="recording takes a kernel with CONFIG_SECCOMP_FILTER=y, Linux 5.15 or newer",
        ) from error


def _kernel_key(wanted: tuple[str, ...]) -> str | None:
    """Name this very kernel build (its build id is in /sys/kernel/notes) and what we ask of it.

    A checksum is enough: whoever could forge one could replace the kernel.
    """
    try:
        notes = Path("/sys/kernel/notes").read_bytes()
    except OSError:
        return None
    asked = zlib.crc32("\0".join(wanted).encode())
    return f"{zlib.crc32(notes):08x}{zlib.adler32(notes):08x}{asked:08x}"


def _folder() -> Path:
    if os.geteuid() == 0:
        return Path("/run/seclatch")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "seclatch"


def _recall(key: str | None) -> Offsets | None:
    """Read what was remembered; only a file that nobody but us can have written."""
    if key is None:
        return None
    try:
        fd = os.open(_folder() / f"btf-{key}.json", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as file:
            status = os.fstat(fd)
            ours = status.st_uid == os.geteuid() and not status.st_mode & 0o022
            if not ours or not stat.S_ISREG(status.st_mode):
                return None
            return msgspec.json.decode(file.read(1 << 16), type=Offsets)
    except (OSError, msgspec.MsgspecError):
        return None


def _remember(key: str | None, found: Offsets) -> None:
    """Keep it for the next time; a host where that fails is only slower (by some 50 ms)."""
    if key is None:
        return
    with contextlib.suppress(OSError):
        folder = _folder()
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        beside = folder / f"btf-{key}.{os.getpid()}"
        fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        with os.fdopen(fd, "wb") as file:
            file.write(msgspec.json.encode(found))
        beside.replace(folder / f"btf-{key}.json")
