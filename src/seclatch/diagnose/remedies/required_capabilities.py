"""Find capabilities that a denied call needs, and what engines' profiles allow with them."""

from __future__ import annotations

import stat
from dataclasses import dataclass

from seclatch.diagnose.remedies.exposure import list_asked_namespaces
from seclatch.model.capability import name_capabilities

# capabilities(7): without the capability the kernel refuses the call, whatever its arguments.
_NEEDED_BY = {
    "CAP_SYS_ADMIN": "mount umount umount2 pivot_root sethostname setdomainname swapon swapoff "
    "fsopen fspick fsmount move_mount mount_setattr lookup_dcookie quotactl_fd",
    "CAP_DAC_READ_SEARCH": "open_by_handle_at",
    "CAP_SYS_BOOT": "reboot kexec_load kexec_file_load",
    "CAP_SYS_CHROOT": "chroot",
    "CAP_SYS_MODULE": "init_module finit_module delete_module",
    "CAP_SYS_PACCT": "acct",
    "CAP_SYS_RAWIO": "iopl",
    "CAP_SYS_TIME": "settimeofday stime clock_settime clock_settime64",
    "CAP_SYS_TTY_CONFIG": "vhangup",
}
# Calls that Docker's own profile allows with a capability (moby v26.1, `includes.caps` of
# profiles/seccomp/default.json); the profiles of podman and nerdctl derive from it.
_ALLOWED_WITH = {
    "CAP_SYS_ADMIN": "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie "
    "mount mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname "
    "sethostname setns syslog umount umount2 unshare",
    "CAP_DAC_READ_SEARCH": "open_by_handle_at",
    "CAP_SYS_BOOT": "reboot",
    "CAP_SYS_CHROOT": "chroot",
    "CAP_SYS_MODULE": "delete_module init_module finit_module",
    "CAP_SYS_PACCT": "acct",
    "CAP_SYS_PTRACE": "kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace",
    "CAP_SYS_RAWIO": "iopl ioperm",
    "CAP_SYS_TIME": "settimeofday stime clock_settime clock_settime64",
    "CAP_SYS_TTY_CONFIG": "vhangup",
    "CAP_SYS_NICE": "get_mempolicy mbind set_mempolicy set_mempolicy_home_node",
    "CAP_SYSLOG": "syslog",
    "CAP_BPF": "bpf",
    "CAP_PERFMON": "perf_event_open",
}
_DESCRIPTIONS = {
    "CAP_SYS_ADMIN": "mounts, namespaces, and so much more that it is little less than root",
    "CAP_DAC_READ_SEARCH": "reading every file of its file systems, whatever their modes",
    "CAP_SYS_BOOT": "a restart of its pid namespace",
    "CAP_SYS_CHROOT": "a change of its root directory",
    "CAP_SYS_MODULE": "loading code into the host's kernel",
    "CAP_SYS_PACCT": "accounting of processes",
    "CAP_SYS_PTRACE": "looking into other processes, as far as it sees them",
    "CAP_SYS_RAWIO": "the machine's ports and memory",
    "CAP_SYS_TIME": "the host's clock",
    "CAP_SYS_TTY_CONFIG": "hanging up terminals",
    "CAP_SYS_NICE": "priorities and placement of other processes",
    "CAP_SYSLOG": "the host's kernel log",
    "CAP_BPF": "programs in the kernel",
    "CAP_PERFMON": "measuring the whole kernel",
}

_EFFECTIVE, _BOUNDING = 2, 3
_AF_PACKET, _SOCK_RAW = 17, 3


@dataclass(frozen=True, slots=True)
class CapabilityOption:
    """A capability to add, what it gives, and which calls the engine's profile then allows."""

    capability: str
    means: str
    calls: tuple[str, ...]


def find_taken(call: str, args: tuple[int, ...], held: tuple[int, ...]) -> str:
    """Return the capability that a call needs and its caller lacks; "" if none is known.

    `held`: as in `TaskFacts.capabilities`.
    """
    taken = next((name for name, calls in _NEEDED_BY.items() if call in calls.split()), "")
    asked = list_asked_namespaces(call, args)
    if asked and "CLONE_NEWUSER" not in asked:  # clone(2), unshare(2): a user namespace takes none
        taken = "CAP_SYS_ADMIN"
    if call == "setns":
        taken = "CAP_SYS_ADMIN"
    if call == "socket" and (args[0] == _AF_PACKET or args[1] & 0xF == _SOCK_RAW):
        taken = "CAP_NET_RAW"
    if call in ("mknod", "mknodat") and _is_device(args[1 if call == "mknod" else 2]):
        taken = "CAP_MKNOD"
    return taken if taken and held and not _has_capability(held[_EFFECTIVE], taken) else ""


def find_options(call: str, held: tuple[int, ...]) -> list[CapabilityOption]:
    """Return the capabilities with which an engine's profile allows the call, the least first."""
    found = [
        CapabilityOption(name, _DESCRIPTIONS[name], tuple(calls.split()))
        for name, calls in _ALLOWED_WITH.items()
        if call in calls.split() and held and not _has_capability(held[_BOUNDING], name)
    ]
    return sorted(found, key=lambda option: len(option.calls))


def _is_device(mode: int) -> bool:
    return stat.S_ISCHR(mode) or stat.S_ISBLK(mode)


def _has_capability(held: int, name: str) -> bool:
    return name in name_capabilities(held)
