"""Read a live process's filters by stopping it: PTRACE_SECCOMP_GET_FILTER, ptrace(2), Linux 4.4.

A stop is not without effect. A thread asleep in nanosleep, poll or a futex with a time-out does not
go on with that call but with restart_syscall, which its filter may deny. So seccomp is suspended
until that one call is under way again (PTRACE_O_SUSPEND_SECCOMP), and the tracer then leaves by
ending, which wakes nobody; PTRACE_DETACH would need another stop. No instruction of the program
runs meanwhile: a return from the call is a stop. Threads in calls that any stop makes fail (EINTR,
signal(7)) are refused, and left alone.
"""

from __future__ import annotations

import errno
import os
import time
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from threading import Thread

from seclatch.errors import SeclatchError
from seclatch.model.arch import Arch
from seclatch.model.syscall import load_syscalls
from seclatch.system.ptrace_requests import (
    PTRACE_DETACH,
    PTRACE_INTERRUPT,
    PTRACE_SYSCALL,
    Place,
    find_place,
    read_each,
    request,
    seize,
)
from seclatch.system.tracee_stop import Stop, TimeoutStopError, await_stop

# Kept in task_struct.restart_block when interrupted, all others restart as themselves.
_RESTARTED = ("nanosleep", "clock_nanosleep", "poll", "futex", "restart_syscall")
# Never restarted, whoever interrupts them (signal(7)).
_INTERRUPTED = (
    "epoll_wait",
    "epoll_pwait",
    "epoll_pwait2",
    "semop",
    "semtimedop",
    "rt_sigtimedwait",
    "io_getevents",
    "io_pgetevents",
    "futex_waitv",
    "io_uring_enter",
)

_FREEZER = Path("/sys/fs/cgroup/freezer")
_ROUNDS = 10_000  # signals, one after the other

_REMEDY = (
    "needs root in the initial user namespace (CAP_SYS_ADMIN), no seccomp on the caller, "
    "and a kernel with CONFIG_CHECKPOINT_RESTORE and CONFIG_SECCOMP_FILTER"
)


def read_filters(tid: int) -> list[bytes]:
    """The programs that bind thread `tid`, the most recently loaded first.

    Each is an array of struct sock_filter in this machine's byte order. The thread is stopped for
    the reading (about a millisecond) and goes on afterwards as if it had not been. Raises
    SeclatchError; the thread is then left alone.
    """
    _refuse(tid)
    _restarted()  # tables are read before anybody is stopped
    result: list[bytes | Exception] = []
    tracer = Thread(target=_trace, args=(tid, result))
    tracer.start()
    tracer.join()
    _await_end(tracer.native_id)
    problem = next((one for one in result if isinstance(one, Exception)), None)
    if problem:
        doing = f"reading the seccomp filters of process {tid}"
        why, remedy = _explain(tid, problem)
        raise SeclatchError(f"{doing}: {why}", remedy=remedy) from problem
    return [one for one in reversed(result) if isinstance(one, bytes)]


def _await_end(thread: int | None) -> None:
    """Until the kernel has ended the thread, and with it the tracing."""
    for _ in range(1000):
        if not Path(f"/proc/self/task/{thread}").exists():
            return
        time.sleep(0.001)


def _refuse(tid: int) -> None:
    """Raise SeclatchError for a thread that a stop would disturb. (It may enter such a call just
    afterwards; then it gets the EINTR that any signal to it would give.)"""
    numbers = load_syscalls(Arch.native()).numbers
    asleep = _asleep_in(tid)
    for name in _INTERRUPTED:
        if asleep is not None and numbers.get(name) == asleep:
            raise SeclatchError(
                f"reading the seccomp filters of process {tid}: it waits in {name}, which fails "
                "(EINTR) when it is stopped, so it was left alone",
                remedy="ask again when it does something else, or on a kernel with BTF, which "
                "needs no stop",
            )


def _asleep_in(tid: int) -> int | None:
    """The number of the call in which the thread sleeps or is stopped; None if it runs."""
    with suppress(OSError, ValueError):
        return int(Path(f"/proc/{tid}/syscall").read_text().split()[0])
    return None


def _trace(tid: int, result: list[bytes | Exception]) -> None:
    """In a thread of its own: read, and end; with it ends the tracing."""
    try:
        with suppress(OSError):  # the target waits for us, and on a busy machine we would too
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        _read(tid, result)
    except (OSError, TimeoutStopError) as error:
        result.append(error)


def _explain(tid: int, error: Exception) -> tuple[str, str]:
    """Why it could not be stopped or asked, and what to do about it, from what /proc says of it."""
    if isinstance(error, TimeoutStopError):
        if _is_frozen(tid):
            frozen = "it is frozen with its control group, and does not stop until that goes on"
            return frozen, "let it go on (docker unpause), or read from the kernel: needs no stop"
        return "it did not stop (state D: it waits for a device?)", "ask again later"
    number = getattr(error, "errno", None) or errno.ESRCH
    if number == errno.ESRCH:
        return "there is no such process", ""
    with suppress(OSError):
        for line in Path(f"/proc/{tid}/status").read_text(errors="replace").splitlines():
            if line.startswith("State:\t") and line[7:8] in "ZX":
                return "it has ended", ""
            if line.startswith("TracerPid:\t") and line[11:] != "0":
                return f"it is traced already, by process {line[11:]}", "ask again when it is not"
    return os.strerror(number), _REMEDY


def _is_frozen(tid: int) -> bool:
    """By the freezer of cgroup v1. Who is frozen by cgroup v2 stops for a tracer all the same."""
    with suppress(OSError, ValueError):
        for line in Path(f"/proc/{tid}/cgroup").read_text().splitlines():
            _, controllers, group = line.split(":", 2)
            if "freezer" in controllers.split(","):
                state = _FREEZER.joinpath(group.lstrip("/"), "freezer.state").read_text()
                return state.strip() != "THAWED"
    return False


def _read(tid: int, result: list[bytes | Exception]) -> None:
    suspends = seize(tid)
    request(PTRACE_INTERRUPT, tid)
    stop = await_stop(tid)
    try:
        result.extend(read_each(tid))
    finally:
        with suppress(ProcessLookupError, TimeoutStopError):  # dead, or running: ours no more
            _leave(tid, stop, suspends)


def _leave(tid: int, stop: Stop, suspends: bool) -> None:
    """Let the thread go on: by a detach, or, in a call that goes on as restart_syscall, by leaving
    it there without one.

    Signals are passed on; a tracee stops for those that it ignores too, and then sleeps on.
    """
    passing = False
    if suspends and not stop.group and _is_interrupted(tid):
        for _ in range(_ROUNDS):
            request(PTRACE_SYSCALL, tid, 0, stop.signal)
            found = await_stop(tid, partial(_is_at_rest, tid, passing))
            if found is None:
                return
            stop = found
            place = find_place(tid) if stop.at_call else None
            passing = place is Place.RESTART
            if stop.group or place is Place.ELSEWHERE:
                break
    # Its own filter answers a call at whose entry we leave: ptrace comes before seccomp (4.8).
    request(PTRACE_DETACH, tid, 0, stop.signal)


def _is_at_rest(tid: int, passing: bool) -> bool:
    """Does it sleep again in the call that it was let into?

    /proc/PID/syscall alone does not tell: it names the call for a thread that is being woken on
    another, idle processor too (TASK_WAKING, kernel/sched/core.c), which has seccomp before it.
    """
    return passing and _is_asleep(tid) and _asleep_in(tid) is not None


def _is_asleep(tid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{tid}/stat").read_bytes().rpartition(b") ")[2][:1] in (b"S", b"D")
    return False


def _is_interrupted(tid: int) -> bool:
    """Is it in a call that goes on as restart_syscall?"""
    return _asleep_in(tid) in _restarted()


@cache
def _restarted() -> frozenset[int | None]:
    """The numbers of such calls in all ABIs of this machine."""
    native = Arch.native()
    tables = [load_syscalls(arch).numbers for arch in (native, *native.compat)]
    return frozenset(numbers[name] for numbers in tables for name in _RESTARTED if name in numbers)
