"""Waiting for signals with a timeout, in a process that is stopped and continued meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from seclatch.system.signal_wait import await_signal

WAITING = """
import signal, sys
from seclatch.system.signal_wait import await_signal
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGUSR1})
print("ready", flush=True)
while (found := await_signal({signal.SIGTERM, signal.SIGUSR1}, 0.005)) is None:
    pass
print(found.si_signo, found.si_pid, flush=True)
"""


def test_a_stop_delivers_no_signal_that_was_not_sent() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WAITING], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout and process.stdout.readline() == "ready\n"
        for _ in range(20):
            process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, process.pid, os.WSTOPPED)
            time.sleep(0.01)  # so that its timeout is over when it continues
            process.send_signal(signal.SIGCONT)
            time.sleep(0.01)
        process.send_signal(signal.SIGUSR1)
        assert process.stdout.readline().split() == [str(int(signal.SIGUSR1)), str(os.getpid())]


def test_a_timeout_returns_none() -> None:
    assert await_signal({signal.SIGUSR2}, 0) is None
    assert await_signal({signal.SIGUSR2}, 0.01) is None
