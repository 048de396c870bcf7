"""Old and new calls for the same thing, of which libraries use one or the other."""

from __future__ import annotations

from collections.abc import Iterator

from seclatch.model.action import ENOSYS, Action, ActionKind
from seclatch.model.profile.finding import Finding, Severity
from seclatch.model.syscall import load_syscalls
from seclatch.profile.checks.checked_profile import CheckedProfile

# Calls between which C libraries choose, oldest first.
TWINS = (
    ("open", "openat", "openat2"),
    ("stat", "newfstatat", "statx"),
    ("lstat", "newfstatat", "statx"),
    ("fstat", "newfstatat", "statx"),
    ("access", "faccessat", "faccessat2"),
    ("chmod", "fchmodat", "fchmodat2"),
    ("mkdir", "mkdirat"),
    ("rmdir", "unlinkat"),
    ("unlink", "unlinkat"),
    ("rename", "renameat", "renameat2"),
    ("link", "linkat"),
    ("symlink", "symlinkat"),
    ("readlink", "readlinkat"),
    ("mknod", "mknodat"),
    ("chown", "fchownat"),
    ("dup2", "dup3"),
    ("pipe", "pipe2"),
    ("eventfd", "eventfd2"),
    ("signalfd", "signalfd4"),
    ("inotify_init", "inotify_init1"),
    ("epoll_create", "epoll_create1"),
    ("epoll_wait", "epoll_pwait", "epoll_pwait2"),
    ("poll", "ppoll"),
    ("select", "pselect6"),
    ("accept", "accept4"),
    ("fork", "vfork", "clone"),
    ("getrlimit", "prlimit64"),
    ("setrlimit", "prlimit64"),
    ("getdents", "getdents64"),
    ("utime", "utimensat"),
    ("utimes", "utimensat"),
    ("time", "clock_gettime"),
    ("gettimeofday", "clock_gettime"),
    ("preadv", "preadv2"),
    ("pwritev", "pwritev2"),
    ("arch_prctl", "set_thread_area"),
    ("send", "sendto"),
    ("recv", "recvfrom"),
)
_ENOSYS = Action(ActionKind.ERRNO, ENOSYS)


def check_old_and_new_calls(subject: CheckedProfile) -> Iterator[Finding]:
    """Find old and new calls for one purpose of which only one is allowed.

    A program then breaks when its C library changes. A refusal with ENOSYS is fine: libraries fall
    back from it to the older call.
    """
    known = load_syscalls(subject.host.arch)
    meaning = subject.meaning
    for family in TWINS:
        here = [name for name in family if known.has(name)]
        allowed = [name for name in here if meaning.may_execute(name)]
        refused = [
            name
            for name in here
            if not meaning.may_execute(name) and meaning.outcomes(name) != {_ENOSYS}
        ]
        if allowed and refused:
            yield Finding(
                "one-of-twins",
                Severity.NOTE,
                f"{', '.join(allowed)} allowed, but not {', '.join(refused)}, which C libraries "
                f"use for the same{_except_runc(subject, refused)}",
                "allow all of them, or refuse the newer ones with ERRNO 38 (ENOSYS)",
                subject.place_of(allowed[0]),
            )


def _except_runc(subject: CheckedProfile, refused: list[str]) -> str:
    """Which of the refused are so with crun only."""
    stubbed = [name for name in refused if subject.stubbed(name)]
    which = "" if stubbed == refused else f" to {', '.join(stubbed)}"
    return f" (with crun: runc answers ENOSYS{which})" if stubbed else ""
