"""Describe what a program gains if a profile allows it the calls that a runtime needs."""

from __future__ import annotations

from seclatch.model.arch import Arch
from seclatch.model.constant import CONSTANTS
from seclatch.profile.checks import namespaces
from seclatch.profile.checks.dangerous import CALLS

_EXPOSURES = {
    "capget": "it may read capabilities",
    "capset": "it may give up capabilities, never gain any",
    "chdir": "it may change its directory",
    "close": "it may close its own files",
    "close_range": "it may close its own files",
    "dup3": "it may copy its own descriptors",
    "epoll_ctl": "it may wait for its own files",
    "execve": "it may run other programs of the image",
    "faccessat2": "it may ask whether a file could be opened",
    "fchown": "it may change owners, with CAP_CHOWN",
    "fcntl": "it may set flags of its own files",
    "fstat": "it may look at its own files",
    "fstatfs": "it may look at file systems",
    "futex": "its threads may wait for each other",
    "getcwd": "it may ask for its directory",
    "getdents64": "it may list directories",
    "getpid": "it may ask for its process id",
    "getppid": "it may ask for its parent's process id",
    "ioctl": "it may talk to every device and driver it can open: large kernel surface",
    "newfstatat": "it may look at files by name",
    "openat": "it may open files, as their modes allow",
    "prctl": "it may change attributes of its process",
    "read": "it may read its own files",
    "rt_sigaction": "it may handle signals",
    "rt_sigprocmask": "it may hold signals back",
    "rt_sigreturn": "it may return from signal handlers",
    "setgid": "it may change its group, with CAP_SETGID",
    "setgroups": "it may change its groups, with CAP_SETGID",
    "setresgid": "it may change its group, with CAP_SETGID",
    "setresuid": "it may change its user, with CAP_SETUID",
    "setuid": "it may change its user, with CAP_SETUID",
    "statx": "it may look at files by name",
    "umask": "it may choose the mode of its new files",
    "write": "it may write to its own files",
}


def describe_exposure(name: str) -> str:
    """Return one clause about a call; without a risk of its own, that none is known."""
    return _find_exposure(name) or "it is not known for dangers of its own"


def has_exposure(name: str) -> bool:
    """Return whether something is known about what a call opens."""
    return bool(_find_exposure(name))


def _find_exposure(name: str) -> str:
    return _EXPOSURES.get(name) or CALLS.get(name) or namespaces.CALLS.get(name, "")


def find_flags_argument(name: str) -> int | None:
    """Return which argument holds CLONE_NEW* flags; None if none does (clone3: in memory)."""
    if name == "clone" and Arch.native() in (Arch.S390, Arch.S390X):
        return 1
    return {"clone": 0, "unshare": 0, "setns": 1}.get(name)


def list_asked_namespaces(name: str, args: tuple[int, ...]) -> list[str]:
    """Return the namespaces that a call was to make or enter, by their flags."""
    index = find_flags_argument(name)
    if index is None:
        return []
    # clone(2): the low byte is the exit signal; setns(2): flags of 0 mean any namespace.
    value = args[index] & (namespaces.NAMESPACES if name == "clone" else ~0)
    return [flag for flag, bit in CONSTANTS.items() if flag.startswith("CLONE_NEW") and value & bit]
