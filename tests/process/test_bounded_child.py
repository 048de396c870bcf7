"""Work in a child process: its result, or the limit that it exceeded."""

from __future__ import annotations

import errno
import faulthandler
import os
import signal
from pathlib import Path

import pytest

from seclatch.errors import SeclatchError
from seclatch.system import bounded_child
from seclatch.system.bounded_child import OutOfBoundsError, run_bounded


def test_the_result_is_returned_whole() -> None:
    assert run_bounded(lambda: b"x" * 1_000_000) == b"x" * 1_000_000


def spin() -> bytes:
    while True:
        pass


def test_work_that_exceeds_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_child, "SECONDS", 1)
    with pytest.raises(OutOfBoundsError) as caught:
        run_bounded(spin)
    assert caught.value.signal == signal.SIGXCPU


def test_work_that_exceeds_its_memory() -> None:
    with pytest.raises(OutOfBoundsError):
        run_bounded(lambda: b"x" * (bounded_child.MEMORY * 2))


def test_work_that_crashes() -> None:
    def crash() -> bytes:
        faulthandler.disable()  # pytest's handler would print a traceback among the results
        os.kill(os.getpid(), signal.SIGSEGV)
        return b""

    with pytest.raises(OutOfBoundsError) as caught:
        run_bounded(crash)
    assert caught.value.signal == signal.SIGSEGV


def test_no_child_and_no_file_is_left() -> None:
    def held() -> tuple[list[str], list[str]]:
        files = sorted(path.name for path in Path("/proc/self/fd").iterdir())
        return files, Path("/proc/thread-self/children").read_text().split()

    before = held()
    for _ in range(3):
        run_bounded(lambda: b"")
    assert held() == before


def test_no_process_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(os, "fork", refuse)
    files = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(SeclatchError, match="temporarily unavailable") as caught:
        run_bounded(lambda: b"")
    assert "limit on processes" in caught.value.remedy
    assert len(list(Path("/proc/self/fd").iterdir())) == files
