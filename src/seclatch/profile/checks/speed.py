"""Calls that leave the kernel's fast path."""

from __future__ import annotations

from collections.abc import Iterator

from seclatch.model.action import ActionKind
from seclatch.model.profile.finding import Finding, Severity
from seclatch.model.syscall import load_syscalls
from seclatch.profile.checks.checked_profile import CheckedProfile

# Calls that programs make so often that the filter's run shows.
_FREQUENT = {
    "read",
    "write",
    "pread64",
    "pwrite64",
    "readv",
    "writev",
    "recvfrom",
    "sendto",
    "recvmsg",
    "sendmsg",
    "epoll_wait",
    "epoll_pwait",
    "poll",
    "ppoll",
    "futex",
    "openat",
    "close",
    "fstat",
    "newfstatat",
    "stat",
    "mmap",
    "munmap",
    "madvise",
    "brk",
    "clock_gettime",
    "getpid",
    "gettid",
    "lseek",
    "ioctl",
    "fcntl",
    "sched_yield",
    "nanosleep",
    "clock_nanosleep",
    "rt_sigprocmask",
}


def check_speed(subject: CheckedProfile) -> Iterator[Finding]:
    """Find frequent calls that the kernel cannot answer without running the filter.

    Linux 5.11 and later keep a bitmap of the calls that a filter allows whatever their arguments,
    and skip the filter for those. A comparison of an argument, or LOG, prevents that.
    """
    known = load_syscalls(subject.host.arch)
    for name in sorted(_FREQUENT):
        if not known.has(name) or not subject.meaning.may_execute(name):
            continue
        whole = subject.meaning.unconditional(name)
        if whole is None or whole.kind is not ActionKind.ALLOW:
            why = "its arguments are compared" if whole is None else "it is logged"
            yield Finding(
                "slow-call",
                Severity.NOTE,
                f"{name} is frequent and {why}: the kernel runs the whole filter for each",
                "allow it without conditions if the program makes it often",
                subject.place_of(name),
            )
