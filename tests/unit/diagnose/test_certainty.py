"""What a process must do for a denial to be the reason of its failure."""

from __future__ import annotations

from errno import EACCES, EPERM

import pytest

from tests.unit.diagnose.runs import Run

STRERROR = "mkdir: cannot create directory: Operation not permitted"


def ended(denied: str, *after: str, message: str = "", status: int = 6) -> bool | None:
    """Diagnose a program that was denied a call, wrote a message or none, and made more calls."""
    run = Run("x")
    program = run.exec(run.root, "x")
    run.calls(program, "openat", "read")
    run.is_refused(program, denied)
    if message:
        run.tells(program, message)
    run.calls(program, *after, "exit_group")
    run.ends(program, status)
    return run.cause(status).seccomp


@pytest.mark.parametrize(
    ("denied", "after", "message", "seccomp"),
    [
        ("uname", (), "", True),
        ("mkdir", ("close", "munmap"), "", True),
        ("mkdir", (), "cannot make it", True),
        ("mkdir", ("close",), STRERROR, True),
        ("mkdir", ("write",), STRERROR, True),  # printed before, and kept till the end
        ("mkdir", ("write", "write"), STRERROR, None),
        ("mkdir", ("write",), "", None),
        ("mkdir", ("write",), "a warning", None),
        ("mkdir", ("openat",), "a warning", None),
        ("mkdir", ("rt_sigaction",), "", None),
        ("rt_sigaction", (), "", None),
        ("rt_sigaction", ("write", "write"), "", None),
        ("ioctl", (), "", None),
        ("ioctl", (), "not a terminal", None),
        ("ioctl", (), "x: Operation not permitted", True),
        ("getegid", (), "", None),
        ("getegid", ("write", "write"), "", None),
        ("getegid", (), "usage: x FILE", False),
    ],
)
def test_calls_after_the_denial(
    denied: str, after: tuple[str, ...], message: str, seccomp: bool | None
) -> None:
    assert ended(denied, *after, message=message) is seccomp


def test_abort_is_no_evidence() -> None:
    abort = ("rt_sigprocmask", "gettid", "tgkill")
    assert ended("mkdir", *abort, status=134) is None
    assert ended("mkdir", *abort, message="Assertion failed", status=134) is None
    assert ended("mkdir", *abort, message=STRERROR, status=134) is True


def test_program_that_warns_and_goes_on_recovered() -> None:
    works = ("openat", "read", "write", "write")
    assert ended("mkdir", *works, message=STRERROR) is None


def passed(script: str, child: int, parent: int) -> bool | None:
    """Diagnose a shell whose command fails over a denial, and that does nothing more."""
    run = Run("sh", "-c", script)
    shell = run.exec(run.root, "sh", "-c", script)
    command = run.exec(run.fork(shell), "mkdir", "x")
    run.is_refused(command, "mkdir")
    run.tells(command, STRERROR)
    run.calls(command, "exit_group")
    run.ends(command, child)
    run.calls(shell, "wait4", "exit_group")
    run.ends(shell, parent)
    return run.cause(parent).seccomp


@pytest.mark.parametrize(
    ("script", "child", "parent", "seccomp"),
    [
        ("mkdir x", 1, 1, True),
        ("mkdir x || exit 3", 1, 3, True),
        ("mkdir x || { echo no >&2; exit 3; }", 1, 3, True),
        ("if ! mkdir x; then exit 3; fi", 1, 3, True),
        ("mkdir x; exit 3", 1, 3, None),
        ("mkdir -p x 2>/dev/null || true; exit 3", 1, 3, None),
        ("if mkdir x; then echo; fi; exit 3", 1, 3, None),
        ("mkdir x || exit 4; exit 3", 1, 3, None),
        ("mkdir x || exit 1; exit 2", 1, 1, True),
        ("mkdir x; exit 1", 1, 1, None),
        ("if false; then echo; else mkdir x; exit 3; fi", 1, 3, None),
        ("false || { mkdir x; exit 3; }", 1, 3, None),
        ("if /bin/mkdir x; then echo; else echo no; exit 3; fi", 1, 3, True),
    ],
)
def test_parent_passes_on_a_failure(
    script: str, child: int, parent: int, seccomp: bool | None
) -> None:
    assert passed(script, child, parent) is seccomp


START = ("brk", "set_tid_address", "set_robust_list", "rseq", "mprotect")


def started(*calls: str) -> bool:
    """Return whether the explanation says that `uname!` was denied before main()."""
    run = Run("x")
    program = run.exec(run.root, "x")
    for word in calls:
        if word.endswith("!"):
            run.is_refused(program, word[:-1])
        else:
            run.calls(program, word)
    run.tells(program, "x: Operation not permitted")
    run.calls(program, "exit_group")
    run.ends(program, 1)
    found = run.cause()
    assert found.cause == "program-denied"
    return any("before main()" in fact for fact in found.evidence)


@pytest.mark.parametrize(
    ("calls", "before"),
    [
        (("brk", "set_tid_address!"), True),
        (("brk", "set_tid_address", "rseq!"), True),
        (("uname!", "set_tid_address"), True),
        ((*START, "uname!"), False),
        ((*START, "write", "openat!"), False),
        (("brk", "openat!"), False),  # a loader's, or that of a program in Go
        ((*START, "clone", "rseq!"), False),
        ((*["read"] * 70, "rseq!"), False),
    ],
)
def test_denial_before_main(calls: tuple[str, ...], before: bool) -> None:
    assert started(*calls) is before


@pytest.mark.parametrize(
    ("call", "path", "verdict", "words"),
    [
        ("", "", (None, "unknown"), "reports an error that no recorded call gave"),
        ("mount", "/mnt", (False, "missing-capability"), "CAP_SYS_ADMIN is missing for mount"),
        ("keyctl", "", (False, "missing-capability"), "probably a privilege is missing"),
    ],
)
def test_message_with_and_without_a_failed_call(
    call: str, path: str, verdict: tuple[bool | None, str], words: str
) -> None:
    run = Run("x")
    program = run.exec(run.root, "x")
    if call:
        run.fails(program, call, EPERM, path)
        run.calls(program, "openat", "read")
    run.tells(program, f"x: {path}: Operation not permitted")
    run.calls(program, "exit_group")
    run.ends(program, 1)
    found = run.cause()
    assert (found.seccomp, found.cause) == verdict, found
    assert words in found.summary


def test_mount_refused_with_eacces() -> None:
    """Without CAP_SYS_ADMIN it is EPERM; AppArmor and SELinux give EACCES."""
    run = Run("x")
    program = run.exec(run.root, "x")
    run.fails(program, "mount", EACCES, "/mnt")
    run.tells(program, "x: mounting y on /mnt failed: Permission denied")
    run.calls(program, "exit_group")
    run.ends(program, 1)
    found = run.cause()
    assert (found.seccomp, found.cause) == (False, "lsm"), found
    assert "a security module (AppArmor, SELinux)" in found.summary
