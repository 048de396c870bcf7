"""Signals end a watch, whatever the readers of its output do."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from seclatch.watch.targets.system_log import SystemLog
from seclatch.watch.targets.waiting_output import WaitingOutput
from tests.unit.watch.denials import make_denial

WRITER = """
from seclatch.watch.stop_signals import StopSignals
from seclatch.watch.targets.waiting_output import WaitingOutput
output = WaitingOutput(1, StopSignals(reopens=False))
while not output._dropped:
    output.write(b"x" * 10_000)
"""
WAITER = """
import sys, time
from seclatch.watch.stop_signals import StopSignals
stop = StopSignals(reopens={reopens})
print("ready", flush=True)
while not stop.arrived():
    time.sleep(0.01)
print("stopped", flush=True)
time.sleep(60)
"""


class Running:
    """Nothing has stopped."""

    def __init__(self) -> None:
        self.read, self.write = os.pipe()

    def fileno(self) -> int:
        return self.read

    def arrived(self) -> bool:
        return False


def start(program: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_reader_that_does_not_read_holds_up_no_end(number: signal.Signals) -> None:
    with start(WRITER) as process:
        assert process.stdout is not None
        process.stdout.read(1)  # it writes: the pipe is full soon
        process.send_signal(number)
        assert process.wait(60) == 0


def test_all_is_written_where_it_is_read() -> None:
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
    found = bytearray()

    def collect() -> None:
        while piece := os.read(read, 1000):
            found.extend(piece)

    reader = threading.Thread(target=collect)
    reader.start()
    content = os.urandom(100_000)
    assert WaitingOutput(write, Running()).write(content) == len(content)
    os.close(write)
    reader.join()
    assert found == content


def test_a_second_signal_kills() -> None:
    with start(WAITER.format(reopens=False)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == b"stopped\n"
        while process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(0.2)
            except subprocess.TimeoutExpired:
                continue
        assert process.returncode == -signal.SIGTERM


def test_hanging_up_ends_only_where_no_file_is_reopened() -> None:
    with start(WAITER.format(reopens=True)) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == b"stopped\n"
        process.kill()
    with start(WAITER.format(reopens=False)) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGHUP)
        assert process.stdout.readline() == b"stopped\n"
        process.kill()


def test_a_syslogd_that_hangs_does_not_block(tmp_path: Path) -> None:
    path = str(tmp_path / "log")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        log = SystemLog(path)
        for _ in range(2000):
            log.write(make_denial())
        failed, reason = log.take_failed()
        assert failed > 0 and "temporarily unavailable" in reason
        for _ in range(2000 - failed):
            listener.recv(1 << 16)
        log.write(make_denial())
        assert listener.recv(1 << 16) and log.take_failed()[0] == 0
        log.close()


def test_an_end_that_takes_long_loses_no_line_that_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The second is for a reader that does not read, not for the watcher's own work."""

    class Stopped:
        def fileno(self) -> int:
            return 0

        def arrived(self) -> bool:
            return True

    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    read, write = os.pipe()
    output = WaitingOutput(write, Stopped())
    output.write(b"one")
    now[0] += 10
    output.write(b"two")
    assert os.read(read, 10) == b"onetwo"
    os.close(read)
    os.close(write)
