"""A child ended over a denied call: what its parent says of that, and does after it."""

from __future__ import annotations

import pytest

from tests.unit.diagnose.runs import Run

DENIED = "mkdir: cannot create directory '/srv/d': Operation not permitted"


def run_parent(*said: str, after: tuple[str, ...] = ("wait4",), status: int = 2) -> bool | None:
    """Diagnose a parent that is no shell, whose child failed, and that ends with another status."""
    run = Run("make")
    parent = run.exec(run.root, "make")
    child = run.exec(run.fork(parent), "mkdir", "/srv/d")
    run.is_refused(child, "mkdir")
    run.tells(child, DENIED)
    run.calls(child, "exit_group")
    run.ends(child, 1)
    run.calls(parent, *after)
    for line in said:
        run.tells(parent, line)
    run.calls(parent, "exit_group")
    run.ends(parent, status)
    return run.cause(status).seccomp


@pytest.mark.parametrize(
    ("said", "after", "seccomp"),
    [
        (("make: *** [Makefile:2: all] Error 1",), ("wait4", "openat", "read"), True),
        (("entry: step mkdir failed",), ("wait4",), True),
        (("entry: step mkdir failed",), ("wait4", "openat", "read"), True),
        (("helper failed with exit status 1",), ("wait4", "openat", "read"), True),
        (("helper failed with exit status 4",), ("wait4", "openat", "read"), None),
        (("ValueError: no number",), ("wait4", "openat", "read"), None),
        (("warning: mkdir failed",), ("wait4", "openat", "read"), None),
        (("make: Error 1 (ignored)", "make: *** Error 7"), ("wait4", "openat", "read"), False),
        ((), ("wait4", "openat", "read"), None),
    ],
)
def test_what_a_parent_says(
    said: tuple[str, ...], after: tuple[str, ...], seccomp: bool | None
) -> None:
    assert run_parent(*said, after=after) is seccomp


def test_writes_that_wake_a_thread_are_no_output() -> None:
    """Go's runtime and libuv write 8 bytes to an eventfd, curl one byte to a pipe."""
    for size, seccomp in ((8, True), (1, True), (60, None)):
        run = Run("x")
        program = run.exec(run.root, "x")
        run.is_refused(program, "mkdir")
        run.tells(program, DENIED)
        run.calls(program, "write", "write", result=size)
        run.calls(program, "exit_group")
        run.ends(program, 1)
        assert run.cause().seccomp is seccomp, size
