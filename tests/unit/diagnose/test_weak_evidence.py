"""What may be about a denied call or about something else is left open."""

from __future__ import annotations

from errno import ENOENT, EPERM

import pytest

from tests.unit.diagnose.runs import Run

WORK = ("read", "getdents64", "pread64", "recvmsg", "sendmsg") * 3


def make_run() -> tuple[Run, int]:
    run = Run("tool")
    return run, run.exec(run.root, "tool")


@pytest.mark.parametrize(
    ("words", "verdict"),
    [
        ("RuntimeError: cannot go on", None),
        ("AssertionError: no result", None),
        ("KeyError: 'url'", False),
    ],
)
def test_exceptions_that_may_be_about_any_call(words: str, verdict: bool | None) -> None:
    run, program = make_run()
    run.is_refused(program, "mkdir", EPERM)
    run.calls(program, *WORK)
    run.tells(program, words)
    run.ends(program, 1)
    assert run.cause().seccomp is verdict


@pytest.mark.parametrize(
    ("words", "verdict"),
    [
        ("tool: No such file or directory", None),
        ("tool: /etc/tool.conf: No such file or directory", False),
    ],
)
def test_an_error_without_a_name_fits_any_missing_file(words: str, verdict: bool | None) -> None:
    run, program = make_run()
    run.is_refused(program, "timer_create", EPERM)
    run.calls(program, *WORK)
    run.fails(program, "openat", ENOENT, "/etc/tool.conf")
    run.tells(program, words)
    run.ends(program, 1)
    assert run.cause().seccomp is verdict


@pytest.mark.parametrize(
    ("words", "verdict"),
    [
        ("error: setting it up: Operation not permitted", None),
        ("error: fchown: Operation not permitted", True),
    ],
)
def test_a_vague_report_after_which_it_worked(words: str, verdict: bool | None) -> None:
    run, program = make_run()
    run.is_refused(program, "fchown", EPERM)
    run.calls(program, *WORK)
    run.tells(program, words)
    run.calls(program, "connect", "read")
    run.ends(program, 1)
    assert run.cause().seccomp is verdict
