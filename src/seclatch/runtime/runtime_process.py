"""Run the OCI runtime as a child with this process's terminal, input and signals."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from seclatch.runtime.container_init import kill_init_without_handler
from seclatch.system.subreaper import become_subreaper

# Not forwarded. Fault signals concern this process; SIGURG and SIGPIPE mean nothing to the
# container (Docker does not forward them either); SIGKILL and SIGSTOP cannot be blocked; SIGTTIN
# and SIGTTOU stop this process in the background, which the shell must see.
_OURS = {
    signal.SIGKILL,
    signal.SIGSTOP,
    signal.SIGSEGV,
    signal.SIGBUS,
    signal.SIGFPE,
    signal.SIGILL,
    signal.SIGTRAP,
    signal.SIGSYS,
    signal.SIGPIPE,
    signal.SIGURG,
    signal.SIGTTIN,
    signal.SIGTTOU,
}
_REQUESTS = {
    int(number) for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
}
_SI_KERNEL = 0x80  # siginfo_t.si_code (asm-generic/siginfo.h)


class HeldSignals:
    """Blocked signals that are forwarded (`signals`), and the mask for a child (`mask`)."""

    def __init__(self, signals: set[int], mask: set[int]) -> None:
        self.signals = signals
        self.mask = mask

    def stop_requested(self) -> int | None:
        """Take a pending signal that requests termination; None if there is none."""
        info = signal.sigtimedwait(self.signals & _REQUESTS, 0)
        return info.si_signo if info else None


@contextlib.contextmanager
def hold_signals() -> Iterator[HeldSignals]:
    """Block the signals to forward, so that none gets lost and no cleanup is cut short.

    A signal that was ignored at the start (nohup(1)) stays so: once blocked, it would reach
    sigwaitinfo(2), and the runtime has inherited that it is ignored.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, it would lose the exit status
    held = {int(number) for number in signal.valid_signals() - _OURS if _is_minded(number)}
    mask = {int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, held)}
    try:
        yield HeldSignals(held, mask)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _is_minded(number: int) -> bool:
    return signal.getsignal(number) is not signal.SIG_IGN


def fill_standard_files() -> list[int]:
    """Open /dev/null where a standard file was closed; return which were.

    The next open would take its number.
    """
    filled = []
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(fd, True)
        filled.append(fd)
    os.close(fd)
    return filled


def run_runtime(argv: list[str], held: HeldSignals) -> int:
    """Run `argv` (an absolute path first) until it ends, forwarding signals; return its status.

    The status is as a shell's: 128+N when signal N ended it. Raises OSError if it cannot be
    started. The child has the signal mask and dispositions that this process had; SIGPIPE and
    SIGXFSZ, which Python ignores from its start, go back to their defaults. What a killed runtime
    leaves (an init that waits for it) is killed too.
    """
    become_subreaper()
    pid = os.posix_spawn(
        argv[0],
        argv,
        os.environ,
        setsigmask=held.mask,
        setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
    )
    # Signals from before the child existed reached this process alone, whatever their sender.
    for number in signal.sigpending() & held.signals - {signal.SIGCHLD}:
        signal.sigwait({number})
        _forward(pid, number)
    status = _wait(pid, held.signals)
    _end_orphans()
    return status


def _wait(pid: int, signals: set[int]) -> int:
    killed_for = 0
    while True:
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:  # the latch's tracer is one of them
            if ended[0] == pid:
                code = os.waitstatus_to_exitcode(ended[1])
                return 128 + killed_for if killed_for else code if code >= 0 else 128 - code
        info = signal.sigwaitinfo(signals)
        if info.si_signo == signal.SIGCHLD:
            continue
        if not _went_to_the_runtime_too(info):
            _forward(pid, info.si_signo)
        if info.si_signo in _REQUESTS and kill_init_without_handler(pid, info.si_signo):
            killed_for = info.si_signo


def _end_orphans() -> None:
    """Kill and reap every child that is left: without its runtime nothing else would."""
    with contextlib.suppress(ChildProcessError):
        while True:
            children = Path("/proc/thread-self/children").read_text().split()
            for child in children:
                os.kill(int(child), signal.SIGKILL)
            os.waitpid(-1, 0)


def _went_to_the_runtime_too(info: signal.struct_siginfo) -> bool:
    """Return whether the terminal sent this signal to the whole foreground process group.

    Those (ctrl-C, window size) come from the kernel, and the runtime, being in the group, has
    received them already. Only a hangup of the terminal signals the session leader alone.
    """
    alone = info.si_signo == signal.SIGHUP and os.getsid(0) == os.getpid()
    return info.si_code == _SI_KERNEL and not alone


def _forward(pid: int, number: int) -> None:
    # The child has not been waited for yet, so its pid cannot be another process's.
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
