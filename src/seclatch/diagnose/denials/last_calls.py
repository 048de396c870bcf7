"""Find the denied call after which a process only cleaned up and exited, in its last calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from seclatch.model.syscall import Syscall
from seclatch.recording.backends.bpf.detail_events import DetailFlag, Last

# Reporting, closing, freeing, unwinding, waiting for other threads.
_CLEANUP_TEXT = """
write writev close close_range exit exit_group futex munmap madvise mprotect rt_sigaction
rt_sigprocmask rt_sigreturn sigaltstack getpid gettid tgkill tkill kill nanosleep
clock_nanosleep sched_yield epoll_pwait epoll_wait fsync lseek restart_syscall brk
sched_getaffinity shutdown
ioctl
"""
_CLEANUP = frozenset(_CLEANUP_TEXT.split())
# A C program that formats a message first: buffers, message catalogues, terminals.
_FORMATTING_TEXT = """
mmap fstat newfstatat fcntl getuid geteuid dup pread64
"""
_FORMATTING = frozenset(_FORMATTING_TEXT.split())
# One that removes what it has made so far, stops timers, and waits for its children.
_ENDING_TEXT = """
getgid getegid unlink unlinkat rt_sigtimedwait setitimer timer_settime timer_delete clock_gettime
gettimeofday getppid wait4 waitid flock umask set_robust_list rseq getrusage epoll_ctl
"""
_ENDING = frozenset(_ENDING_TEXT.split())
_LOOKUPS_TEXT = """
openat open access readlink
"""
_LOOKUPS = frozenset(_LOOKUPS_TEXT.split())
_REPORTING = {"write", "writev"}
# The calls of the above that end a process without a message; setting handlers, say, goes on.
_SILENT_END_TEXT = """
exit exit_group close close_range munmap futex madvise rt_sigprocmask rt_sigreturn sigaltstack
tgkill shutdown fsync
"""
_SILENT_END = frozenset(_SILENT_END_TEXT.split())
# Calls that cannot fail, as their manual pages say: callers do not check their result.
_UNCHECKED_TEXT = """
getuid geteuid getgid getegid getpid gettid getppid getpgrp umask sched_yield set_tid_address
"""
_UNCHECKED = frozenset(_UNCHECKED_TEXT.split())
_ENOENT = 2

NameCall = Callable[[Last], Syscall]


def find_fatal(calls: Sequence[Last], name: NameCall, *, loosely: bool = False) -> Last | None:
    """Return the denied call that the process did not recover from; None if there is none.

    `loosely`: a C library may look for messages and buffers before it can report the error; other
    evidence must then show that this call is the reason.
    """
    killed = [call for call in calls if call.refused and call.mode & DetailFlag.KILLED]
    if killed:
        return killed[-1]
    last = [call for call in _list_final_calls(calls, name, loosely) if call.refused]
    if not last:
        return None
    real = [call for call in last if name(call).name not in _CLEANUP]
    if real:
        return real[-1] if loosely else real[0]
    reported = [call.time for call in calls if name(call).name in _REPORTING and not call.refused]
    before = [call for call in last if any(call.time < time for time in reported)]
    return before[-1] if before else last[0]


def is_decisive(fatal: Last, name: NameCall) -> bool:
    """Return whether a program may end over this call without a message.

    Not over one that programs make at their end anyway, or whose result they do not check.
    """
    called = name(fatal).name
    return called not in _CLEANUP and called not in _UNCHECKED


def ends_silently(calls: Sequence[Last], fatal: Last, name: NameCall) -> bool:
    """Return whether a process only ended after a denied call."""
    return all(
        call.refused or name(call).name in _SILENT_END for call in calls if call.time > fatal.time
    )


def find_trapped(calls: Sequence[Last]) -> Last | None:
    """Return the last call that seccomp answered with SIGSYS, which ended the process."""
    trapped = [call for call in calls if call.refused and call.mode & DetailFlag.SIGSYS]
    return trapped[-1] if trapped else None


def _list_final_calls(calls: Sequence[Last], name: NameCall, loosely: bool) -> list[Last]:
    """Return the calls from the last one that did work, or was denied, on."""
    found: list[Last] = []
    for call in reversed(calls):
        if not gives_up(call, name(call).name, loosely):
            if call.refused:
                found.append(call)
            break
        found.append(call)
    found.reverse()
    return found


def gives_up(call: Last, called: str, loosely: bool) -> bool:
    """Return whether a call is one of those that a process makes when it cleans up."""
    if called in _CLEANUP:
        return True
    if not loosely:
        return False
    return called in _ENDING or not is_work(call, called)


def is_work(call: Last, called: str) -> bool:
    """Return whether a call does more than report: a process that makes several went on."""
    looks = called in _LOOKUPS and (call.refused or call.result == -_ENOENT)
    return called not in _CLEANUP and called not in _FORMATTING and not looks
