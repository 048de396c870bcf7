"""Format a call's arguments for a reader: those that say what it was about."""

from __future__ import annotations

from collections.abc import Callable

from seclatch.model.constant import CONSTANTS

_MASK = 0xFFFFFFFF
_AT_FDCWD = 0xFFFFFF9C
_MAX_LENGTH = 120

# <linux/prctl.h>
_PRCTL = {
    1: "PR_SET_PDEATHSIG",
    3: "PR_GET_DUMPABLE",
    4: "PR_SET_DUMPABLE",
    7: "PR_GET_KEEPCAPS",
    8: "PR_SET_KEEPCAPS",
    15: "PR_SET_NAME",
    16: "PR_GET_NAME",
    22: "PR_SET_SECCOMP",
    23: "PR_CAPBSET_READ",
    24: "PR_CAPBSET_DROP",
    36: "PR_SET_CHILD_SUBREAPER",
    38: "PR_SET_NO_NEW_PRIVS",
    39: "PR_GET_NO_NEW_PRIVS",
    47: "PR_CAP_AMBIENT",
    0x53564D41: "PR_SET_VMA",
}
# <asm-generic/fcntl.h>
_FCNTL = {
    0: "F_DUPFD",
    1: "F_GETFD",
    2: "F_SETFD",
    3: "F_GETFL",
    4: "F_SETFL",
    6: "F_SETLK",
    1030: "F_DUPFD_CLOEXEC",
}
_OPEN = ((0x40, "O_CREAT"), (0x200, "O_TRUNC"), (0x400, "O_APPEND"), (0x80000, "O_CLOEXEC"))
_ACCESS = ("O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE")

Formatter = Callable[[tuple[int, ...]], list[str]]


def show_arguments(name: str, args: tuple[int, ...], *paths: str) -> list[str]:
    """Return the formatted arguments; paths in quotes, if they could be read."""
    if name in _FORMATTERS:
        return _FORMATTERS[name](args)
    path = [_format_path(path) for path in paths if path]
    if name in ("openat", "open"):
        return [*path, _format_open_flags(args[2 if name == "openat" else 1])]
    if path:
        return path
    if name in _POINTERS_ONLY:
        return []
    return [_format_number(value) for value in args[: _ARGUMENT_COUNTS.get(name, 1)]]


def _format_path(text: str) -> str:
    shown = text if len(text) <= _MAX_LENGTH else text[:_MAX_LENGTH] + "…"
    return f'"{shown}"'


def _format_number(value: int) -> str:
    low = value & _MASK
    if low == _AT_FDCWD:
        return "AT_FDCWD"
    if low > 0xFFFF0000 and value >> 32 in (0, _MASK):
        return str(low - (1 << 32))
    return str(value) if value < 1 << 16 else hex(value)


def _format_name(table: dict[int, str], value: int) -> str:
    return table.get(value & _MASK, _format_number(value & _MASK))


def _format_flags(prefix: str, value: int) -> str:
    names = [name for name, bit in CONSTANTS.items() if name.startswith(prefix) and value & bit]
    return "|".join(names) or hex(value & _MASK)


def _format_open_flags(value: int) -> str:
    return "|".join([_ACCESS[value & 3], *(name for bit, name in _OPEN if value & bit)])


def _format_family(value: int) -> str:
    for name, number in CONSTANTS.items():
        if name.startswith("AF_") and number == value:
            return name
    return str(value & _MASK)


_FORMATTERS: dict[str, Formatter] = {
    "prctl": lambda a: [_format_name(_PRCTL, a[0]), _format_number(a[1])],
    "fcntl": lambda a: [_format_number(a[0]), _format_name(_FCNTL, a[1])],
    "socket": lambda a: [_format_family(a[0]), _format_number(a[1] & 0xF), _format_number(a[2])],
    "socketpair": lambda a: [
        _format_family(a[0]),
        _format_number(a[1] & 0xF),
        _format_number(a[2]),
    ],
    "clone": lambda a: [_format_flags("CLONE_", a[0])],
    "unshare": lambda a: [_format_flags("CLONE_", a[0])],
    "setns": lambda a: [_format_number(a[0]), _format_flags("CLONE_", a[1])],
    "personality": lambda a: [hex(a[0])],
    "ioctl": lambda a: [_format_number(a[0]), hex(a[1] & _MASK)],
    "kill": lambda a: [_format_number(a[0]), _format_number(a[1])],
    "close_range": lambda a: [_format_number(a[0]), _format_number(a[1]), _format_number(a[2])],
}
_ARGUMENT_COUNTS = {
    "setresuid": 3,
    "setresgid": 3,
    "fchown": 3,
    "dup3": 3,
    "dup2": 2,
    "tgkill": 3,
    "setpriority": 3,
    "epoll_ctl": 3,
    "fchmod": 2,
    "setreuid": 2,
    "bpf": 1,
}
# Calls whose arguments are pointers only, which have no meaning for a reader.
_POINTERS_ONLY_TEXT = """
capget capset getpid getppid gettid getuid geteuid getgid getegid clone3 rseq set_robust_list
rt_sigreturn execve uname sysinfo set_tid_address brk mmap fork vfork getcwd pause
"""
_POINTERS_ONLY = frozenset(_POINTERS_ONLY_TEXT.split())
