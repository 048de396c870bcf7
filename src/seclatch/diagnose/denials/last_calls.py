"""Which refusal ended a process: after it came nothing but what one does who gives up.

A process that gets over a refused call goes on with its work: it opens, maps, execs. One that does
not get over it tells somebody, closes and ends. The last calls of each process are known
(`Evidence.life`); this is all that is asked of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from seclatch.model.syscall import Syscall
from seclatch.recording.backends.bpf.detail_events import Last, Mark

# Telling, closing, freeing, unwinding, waiting for other threads.
_LAST_WORDS_TEXT = """
write writev close close_range exit exit_group futex munmap madvise mprotect rt_sigaction
rt_sigprocmask rt_sigreturn sigaltstack getpid gettid tgkill tkill kill nanosleep
clock_nanosleep sched_yield epoll_pwait epoll_wait fsync lseek restart_syscall brk
sched_getaffinity shutdown
ioctl
"""
_LAST_WORDS = frozenset(_LAST_WORDS_TEXT.split())
# And of a C program that looks for the words in which to tell it: buffers, messages, terminals.
_FINDING_WORDS_TEXT = """
mmap fstat newfstatat fcntl getuid geteuid dup pread64
"""
_FINDING_WORDS = frozenset(_FINDING_WORDS_TEXT.split())
_LOOKING_TEXT = """
openat open access readlink
"""
_LOOKING = frozenset(_LOOKING_TEXT.split())
_TELLING = {"write", "writev"}
# What is left of the above for one who ends without a word; to set handlers, say, is to go on.
_SILENTLY_TEXT = """
exit exit_group close close_range munmap futex madvise rt_sigprocmask rt_sigreturn sigaltstack
tgkill shutdown fsync
"""
_SILENTLY = frozenset(_SILENTLY_TEXT.split())
# Calls that cannot fail, as their manual pages say: nobody looks whether they did.
_UNCHECKED_TEXT = """
getuid geteuid getgid getegid getpid gettid getppid getpgrp umask sched_yield set_tid_address
"""
_UNCHECKED = frozenset(_UNCHECKED_TEXT.split())
_ENOENT = 2

NameCall = Callable[[Last], Syscall]


def find_fatal(life: Sequence[Last], name: NameCall, *, loosely: bool = False) -> Last | None:
    """The refused call that the process did not get over; None if there is none.

    `loosely`: a C library may look for messages and buffers before it can say what is wrong; other
    evidence must then tell that this call is what it is about.
    """
    killed = [call for call in life if call.refused and call.mode & Mark.KILLED]
    if killed:
        return killed[-1]
    last = [call for call in _end(life, name, loosely) if call.refused]
    if not last:
        return None
    real = [call for call in last if name(call).name not in _LAST_WORDS]
    if real:
        return real[-1] if loosely else real[0]
    told = [call.time for call in life if name(call).name in _TELLING and not call.refused]
    before = [call for call in last if any(call.time < time for time in told)]
    return before[-1] if before else last[0]


def is_decisive(fatal: Last, name: NameCall) -> bool:
    """Whether a program may end over a call, without a word about it: not if it is one that
    any program makes at its end, or whose result none looks at."""
    called = name(fatal).name
    return called not in _LAST_WORDS and called not in _UNCHECKED


def ends_silently(life: Sequence[Last], fatal: Last, name: NameCall) -> bool:
    """Whether a process did nothing at all after a refused call, but to end."""
    return all(
        call.refused or name(call).name in _SILENTLY for call in life if call.time > fatal.time
    )


def find_trapped(life: Sequence[Last]) -> Last | None:
    """The last call that seccomp answered with SIGSYS: what ended a process that SIGSYS ended."""
    trapped = [call for call in life if call.refused and call.mode & Mark.SIGSYS]
    return trapped[-1] if trapped else None


def _end(life: Sequence[Last], name: NameCall, loosely: bool) -> list[Last]:
    """The calls since the process last did anything for its purpose, from a refused one on."""
    found: list[Last] = []
    for call in reversed(life):
        if not gives_up(call, name(call).name, loosely):
            if call.refused:
                found.append(call)
            break
        found.append(call)
    found.reverse()
    return found


def gives_up(call: Last, called: str, loosely: bool) -> bool:
    """Whether a call is one of those that a process makes which has given up."""
    if called in _LAST_WORDS:
        return True
    if not loosely:
        return False
    looks = called in _LOOKING and (call.refused or call.result == -_ENOENT)
    return called in _FINDING_WORDS or looks
