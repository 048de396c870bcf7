"""What decides whether a denied call made a program fail: last words, and what the kernel did."""

from __future__ import annotations

from errno import EACCES, EINVAL, ENOENT, ENOSYS, EPERM

import pytest

from tests.unit.diagnose.runs import Run

DENIED = "mkdir: cannot create directory '/srv/d': Operation not permitted"


def swallowed(*words: str, failed: tuple[str, int, str] | None = None, call: str = "mkdir") -> Run:
    """Return a program that is denied a call, goes on, and fails with these words."""
    run = Run("x")
    program = run.exec(run.root, "x")
    run.is_refused(program, call, EPERM)
    run.calls(program, *["openat", "read", "close"] * 5)
    if failed:
        run.fails(program, *failed)
    for line in words:
        run.tells(program, line)
    run.calls(program, "exit_group")
    run.ends(program, 1)
    return run


@pytest.mark.parametrize(
    ("words", "failed", "call", "seccomp"),
    [
        (
            ("[Errno 13] Permission denied: '/etc/shadow'",),
            ("openat", EACCES, "/etc/shadow"),
            "mkdir",
            False,
        ),
        (("cat: /license: No such file",), ("openat", ENOENT, "/license"), "mkdir", False),
        (("ValueError: bad",), None, "mkdir", False),
        (("no licence",), None, "mkdir", None),
        (("no licence",), None, "sched_setaffinity", False),
        (("cannot create the directory",), None, "mkdir", None),
        (("mkdir: Operation not permitted",), None, "mkdir", True),
        (("warning: mkdir: Operation not permitted",), None, "mkdir", None),
        (("mkdir: Operation not permitted", "no licence"), None, "mkdir", None),
        (("can't start new thread",), None, "clone3", True),
        (("x: Invalid argument",), ("ioctl", EINVAL, ""), "mkdir", False),
    ],
)
def test_last_words_decide(
    words: tuple[str, ...], failed: tuple[str, int, str] | None, call: str, seccomp: bool | None
) -> None:
    assert swallowed(*words, failed=failed, call=call).cause().seccomp is seccomp


def shell(script: str, *children: tuple[tuple[str, ...], bool, str]) -> bool | None:
    """Diagnose a script whose commands fail: over a denial (True), or of themselves."""
    run = Run("sh", "-c", script)
    top = run.exec(run.root, "sh", "-c", script)
    for words, denied, said in children:
        child = run.exec(run.fork(top), *words)
        if denied:
            run.is_refused(child, words[0])
        run.tells(child, said)
        run.calls(child, "exit_group")
        run.ends(child, 1)
    run.calls(top, "wait4", "exit_group")
    run.ends(top, 1)
    return run.cause().seccomp


def test_a_script_that_goes_on() -> None:
    mkdir = (("mkdir", "/srv/d"), True, DENIED)
    assert shell("mkdir /srv/d", mkdir) is True
    assert shell("set -e; mkdir /srv/d; app", mkdir) is True


@pytest.mark.parametrize(
    ("call", "error", "instead", "harmless"),
    [
        ("clone3", ENOSYS, "clone", True),
        ("clone3", EPERM, "clone", False),
        ("clone3", ENOSYS, "read", False),
        ("io_uring_setup", EPERM, "epoll_wait", True),
        ("statx", ENOSYS, "newfstatat", True),
        ("mkdir", EPERM, "mkdirat", False),
    ],
)
def test_a_refusal_whose_fallback_succeeded(
    call: str, error: int, instead: str, harmless: bool
) -> None:
    run = Run("x")
    program = run.exec(run.root, "x")
    run.is_refused(program, call, error)
    run.calls(program, instead, "read", "openat")
    run.trace.segments[program].calls[False, run.number(instead)] += 1
    run.calls(program, "exit_group")
    run.ends(program, 1)
    found = run.cause()
    assert found.seccomp is (False if harmless else None), found
