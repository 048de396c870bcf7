"""Linux capabilities: their names and bits."""

from __future__ import annotations

from seclatch.model.quoted_text import quote_text

# capabilities(7), bit 0 first.
_NAMES = """
CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO
SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG
MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM
BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE
"""

CAPABILITIES = tuple(f"CAP_{name}" for name in _NAMES.split())
"""Every capability of <linux/capability.h>, Linux 6.12, in the order of their bits."""

ALL = frozenset(CAPABILITIES)


def name_capabilities(mask: int) -> frozenset[str]:
    """Return the names of a mask's bits, as `CapBnd` of /proc/PID/status has it."""
    return frozenset(name for bit, name in enumerate(CAPABILITIES) if mask >> bit & 1)


def parse_capability(name: str) -> str:
    """Return `CAP_SYS_ADMIN` for `sys_admin`, `SYS_ADMIN` or the full name.

    Raises ValueError if it is unknown.
    """
    full = f"CAP_{name.upper().removeprefix('CAP_')}"
    if full not in ALL:
        raise ValueError(f"unknown capability {quote_text(name)}")
    return full
