"""A process that the caller has not to wait for."""

from __future__ import annotations

import os
import select
from pathlib import Path

import pytest

from seclatch.system.detached_process import run_detached
from tests.latch.oci import wait_until


def list_children() -> set[str]:
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


def test_it_is_no_child_and_no_zombie_is_left(tmp_path: Path) -> None:
    """A supervisor may live for minutes after it has begun one."""
    before, done = list_children(), tmp_path / "done"

    def work() -> None:
        (tmp_path / "part").write_text(f"{os.getpid()}")
        (tmp_path / "part").rename(done)
        os.close(writing)
        select.select([reading], [], [], 30)  # until the test has looked

    reading, writing = os.pipe()
    try:
        run_detached(work)
        wait_until(done.exists, "the work")
        assert done.read_text() != str(os.getpid())
        assert list_children() == before
    finally:
        os.close(writing)
        os.close(reading)


def test_an_error_of_the_work_is_its_own(tmp_path: Path) -> None:
    def work() -> None:
        (tmp_path / "begun").touch()
        raise KeyError

    run_detached(work)
    wait_until((tmp_path / "begun").exists, "the work")


@pytest.mark.parametrize("failing", [1, 2])
def test_a_process_that_cannot_be_made(monkeypatch: pytest.MonkeyPatch, failing: int) -> None:
    """The child, or the grandchild."""
    actual, calls = os.fork, []

    def fork() -> int:
        calls.append(None)
        if len(calls) == failing:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return actual()

    monkeypatch.setattr(os, "fork", fork)
    before = list_children()
    with pytest.raises(OSError, match=r"Resource temporarily|could not be forked"):
        run_detached(list)
    assert list_children() == before
