"""Read a live process's filters by stopping it: PTRACE_SECCOMP_GET_FILTER, ptrace(2), Linux 4.4.

A stop has an effect. A thread that sleeps in nanosleep, poll or a futex with a timeout does not
resume that call but makes restart_syscall, which its filter may deny. Therefore seccomp is
suspended (PTRACE_O_SUSPEND_SECCOMP) until that one call sleeps again. The tracer thread then exits,
which ends the tracing without waking the tracee; PTRACE_DETACH would need another stop. No
instruction of the program runs meanwhile: a return from the call is a stop. Threads in calls that
fail with EINTR after any stop (signal(7)) are refused and not stopped. See docs/decisions/0027.
"""

from __future__ import annotations

import errno
import os
import time
from contextlib import suppress
from enum import Enum
from functools import cache, partial
from pathlib import Path
from threading import Thread

from seclatch.errors import SeclatchError
from seclatch.model.arch import Arch
from seclatch.model.syscall import load_syscalls
from seclatch.system import ptrace
from seclatch.system.procfs import parse_status, read_current_call, read_status_file
from seclatch.system.ptrace import (
    CallPosition,
    StopTimeoutError,
    TraceeStop,
    TraceOption,
    await_stop,
)

# Calls that restart_syscall resumes (task_struct.restart_block); others restart as themselves.
_RESTARTED = ("nanosleep", "clock_nanosleep", "poll", "futex", "restart_syscall")
# Calls that are never restarted after a stop (signal(7)).
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
_MAX_SIGNALS = 10_000  # passed on one after the other
_ERESTART_RESTARTBLOCK = 516  # <linux/errno.h>: visible to tracers only

_REMEDY = (
    "needs root in the initial user namespace (CAP_SYS_ADMIN), no seccomp on the caller, "
    "and a kernel with CONFIG_CHECKPOINT_RESTORE and CONFIG_SECCOMP_FILTER"
)


def read_filters(tid: int) -> list[bytes]:
    """Return the filters that bind thread `tid`, the most recently loaded first.

    Each is an array of struct sock_filter in this machine's byte order. The thread is stopped for
    about a millisecond and resumed without a visible effect. Raises SeclatchError; the thread was
    not stopped then.
    """
    _refuse_interrupted_call(tid)
    _list_restarted_calls()  # load the tables before the thread is stopped
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
    """Wait until the kernel has ended the tracer thread, and with it the tracing."""
    for _ in range(1000):
        if not Path(f"/proc/self/task/{thread}").exists():
            return
        time.sleep(0.001)


def _refuse_interrupted_call(tid: int) -> None:
    """Raise SeclatchError for a thread whose call a stop would make fail.

    It may enter such a call just afterwards; then it gets the EINTR that any signal would give it.
    """
    numbers = load_syscalls(Arch.native()).numbers
    call = read_current_call(tid)
    for name in _INTERRUPTED:
        if call is not None and numbers.get(name) == call:
            raise SeclatchError(
                f"reading the seccomp filters of process {tid}: it waits in {name}, which fails "
                "(EINTR) when it is stopped, so it was left alone",
                remedy="ask again when it does something else, or on a kernel with BTF, which "
                "needs no stop",
            )


def _trace(tid: int, result: list[bytes | Exception]) -> None:
    """Read the filters in a thread of its own; the tracing ends with that thread."""
    try:
        with suppress(OSError):  # the target waits for this thread: run it first on a busy machine
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        _read_stopped(tid, result)
    except (OSError, StopTimeoutError) as error:
        result.append(error)


def _explain(tid: int, error: Exception) -> tuple[str, str]:
    """Return why the filters could not be read, and a remedy, from the thread's state in /proc."""
    if isinstance(error, StopTimeoutError):
        if _is_frozen(tid):
            frozen = "it is frozen with its control group, and does not stop until that goes on"
            return frozen, "let it go on (docker unpause), or read from the kernel: needs no stop"
        return "it did not stop (state D: it waits for a device?)", "ask again later"
    number = getattr(error, "errno", None) or errno.ESRCH
    if number == errno.ESRCH:
        return "there is no such process", ""
    with suppress(OSError):
        status = parse_status(read_status_file(tid))
        if status.state in "ZX":
            return "it has ended", ""
        if status.tracer:
            return f"it is traced already, by process {status.tracer}", "ask again when it is not"
    return os.strerror(number), _REMEDY


def _is_frozen(tid: int) -> bool:
    """Return whether the cgroup v1 freezer holds it; one frozen by cgroup v2 stops for a tracer."""
    with suppress(OSError, ValueError):
        for line in Path(f"/proc/{tid}/cgroup").read_text().splitlines():
            _, controllers, group = line.split(":", 2)
            if "freezer" in controllers.split(","):
                state = _FREEZER.joinpath(group.lstrip("/"), "freezer.state").read_text()
                return state.strip() != "THAWED"
    return False


def _read_stopped(tid: int, result: list[bytes | Exception]) -> None:
    suspends = _seize(tid)
    ptrace.interrupt_tracee(tid)
    stop = await_stop(tid)
    try:
        result.extend(ptrace.read_each_filter(tid))
    finally:
        with suppress(ProcessLookupError, StopTimeoutError):  # it ended, or runs untraced
            _release(tid, stop, suspends)


def _seize(tid: int) -> bool:
    """Seize the thread, and return whether seccomp is suspended for it."""
    try:
        ptrace.seize_thread(tid, TraceOption.SUSPEND_SECCOMP | TraceOption.SYSGOOD)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        ptrace.seize_thread(tid, TraceOption.SYSGOOD)
        return False
    return True


def _release(tid: int, stop: TraceeStop, suspends: bool) -> None:
    """Detach the thread; if it resumes by restart_syscall, leave it asleep there, still traced.

    Signals are passed on. A tracee stops for those that it ignores, too, and then sleeps on.
    """
    passing = False
    if suspends and not stop.group and _is_restarted(tid):
        for _ in range(_MAX_SIGNALS):
            ptrace.resume_tracee(tid, ptrace.SYSCALL, stop.signal)
            found = await_stop(tid, partial(_is_asleep_again, tid, passing))
            if found is None:
                return
            stop = found
            position = _find_restart_stop(tid) if stop.at_call else None
            passing = position is RestartStop.ENTRY
            if stop.group or position is RestartStop.OTHER:
                break
    # At a call's entry the thread's own filter decides next: ptrace comes before seccomp (4.8).
    ptrace.resume_tracee(tid, ptrace.DETACH, stop.signal)


class RestartStop(Enum):
    """Where a tracee is stopped, as far as restart_syscall is concerned.

    ENTRY: at the entry of restart_syscall. PENDING: at the exit of a call that restart_syscall will
    resume. OTHER: elsewhere.
    """

    ENTRY = 1
    PENDING = 2
    OTHER = 3


def _find_restart_stop(tid: int) -> RestartStop:
    """Return where a tracee is stopped; OTHER before Linux 5.3 (PTRACE_GET_SYSCALL_INFO)."""
    try:
        stop = ptrace.read_call_stop(tid)
    except OSError:
        return RestartStop.OTHER
    if stop.position is CallPosition.EXIT:
        pending = stop.result == -_ERESTART_RESTARTBLOCK
        return RestartStop.PENDING if pending else RestartStop.OTHER
    with suppress(ValueError, KeyError):
        numbers = load_syscalls(Arch.from_audit(stop.arch, stop.number)).numbers
        if stop.position is CallPosition.ENTRY and stop.number == numbers["restart_syscall"]:
            return RestartStop.ENTRY
    return RestartStop.OTHER


def _is_asleep_again(tid: int, passing: bool) -> bool:
    """Return whether it sleeps again in the call that it was resumed into.

    /proc/PID/syscall alone is not enough: it also names the call of a thread that is being woken on
    another, idle processor (TASK_WAKING, kernel/sched/core.c) and has not passed seccomp yet.
    """
    return passing and _is_asleep(tid) and read_current_call(tid) is not None


def _is_asleep(tid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{tid}/stat").read_bytes().rpartition(b") ")[2][:1] in (b"S", b"D")
    return False


def _is_restarted(tid: int) -> bool:
    """Return whether it is in a call that restart_syscall resumes."""
    return read_current_call(tid) in _list_restarted_calls()


@cache
def _list_restarted_calls() -> frozenset[int | None]:
    """Return the numbers of such calls in all ABIs of this machine."""
    native = Arch.native()
    tables = [load_syscalls(arch).numbers for arch in (native, *native.compat)]
    return frozenset(numbers[name] for numbers in tables for name in _RESTARTED if name in numbers)
