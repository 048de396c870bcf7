"""Which lines are a report of a denied call: quotes of the program, one report, an address."""

from __future__ import annotations

from errno import ECONNREFUSED, ENOENT, EPERM

import pytest

from seclatch.diagnose.failure.own_words import quotes_source
from tests.unit.diagnose.runs import Run

SOURCE = "require('os').setPriority(5); missing.call()"
NAMED = "x: cannot make the directory: Operation not permitted"


def test_a_program_that_is_quoted() -> None:
    """An interpreter prints the line that failed, which names a denied call in passing."""
    run = Run("node", "-e", SOURCE)
    program = run.exec(run.root, "node", "-e", SOURCE)
    run.is_refused(program, "setpriority")
    run.calls(program, *["openat", "read"] * 5)
    run.tells(program, SOURCE)
    run.tells(program, "ReferenceError: missing is not defined")
    run.calls(program, "exit_group")
    run.ends(program, 1)
    assert run.cause().seccomp is False


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        (SOURCE, True),
        (f"failed to evaluate: {SOURCE}", True),
        ("setPriority(5)", False),
        ("-e", False),
    ],
)
def test_whole_lines_are_quotes(text: str, quoted: bool) -> None:
    assert quotes_source(text, ("node", "-e", SOURCE)) is quoted


@pytest.mark.parametrize(
    ("between", "last", "seccomp"),
    [
        ((), "x: configuration test failed", True),
        (("munmap", "close"), "x: configuration test failed", True),
        (("openat", "read"), "x: configuration test failed", None),
        ((), "x: unknown directive", None),
    ],
)
def test_lines_without_work_between_are_one_report(
    between: tuple[str, ...], last: str, seccomp: bool | None
) -> None:
    run = Run("x")
    program = run.exec(run.root, "x")
    run.is_refused(program, "mkdir")
    run.tells(program, NAMED)
    run.calls(program, *between)
    run.tells(program, last)
    run.calls(program, "exit_group")
    run.ends(program, 1)
    assert run.cause().seccomp is seccomp


@pytest.mark.parametrize(
    ("said", "seccomp"),
    [("cannot start a new thread", True), ("no licence", None)],
)
def test_words_on_the_subject_right_after(said: str, seccomp: bool | None) -> None:
    run = Run("x")
    program = run.exec(run.root, "x")
    run.is_refused(program, "clone3")
    run.tells(program, said)
    run.calls(program, "exit_group")
    run.ends(program, 1)
    assert run.cause().seccomp is seccomp


def run_server_and_client(server_said: str, client_said: str) -> bool | None:
    """Diagnose a script that ends by a client, whose server was denied bind."""
    script = "server 2> log & client"
    run = Run("sh", "-c", script)
    top = run.exec(run.root, "sh", "-c", script)
    server = run.exec(run.fork(top), "server")
    run.is_refused(server, "bind")
    run.tells(server, server_said)
    run.calls(server, "exit_group")
    run.ends(server, 1)
    client = run.exec(run.fork(top), "client")
    run.fails(client, "connect", ECONNREFUSED)
    run.tells(client, client_said)
    run.calls(client, "exit_group")
    run.ends(client, 1)
    run.calls(top, "wait4", "exit_group")
    run.ends(top, 1)
    return run.cause().seccomp


@pytest.mark.parametrize(("port", "seccomp"), [("6379", True), ("8080", None)])
def test_a_client_of_a_denied_server(port: str, seccomp: bool | None) -> None:
    said = f"Could not connect to 127.0.0.1:{port}: Connection refused"
    assert run_server_and_client("bind *:6379: Operation not permitted", said) is seccomp


@pytest.mark.parametrize(("path", "seccomp"), [("/opt/run", False), ("/opt/other", None)])
def test_a_file_that_is_not_found(path: str, seccomp: bool | None) -> None:
    """The shell's words for ENOENT are about the file that the kernel did not find."""
    run = Run("x")
    program = run.exec(run.root, "x")
    run.is_refused(program, "mkdir")
    run.calls(program, *["openat", "read"] * 5)
    run.fails(program, "execve", ENOENT, path)
    run.tells(program, "x: 4: /opt/run: not found")
    run.calls(program, "exit_group")
    run.ends(program, 127)
    assert run.cause().seccomp is seccomp


def test_a_shell_that_has_execd_is_judged_by_its_script() -> None:
    script = "mkdir /d || true; exec server"
    run = Run("sh", "-c", script)
    top = run.exec(run.root, "sh", "-c", script)
    child = run.exec(run.fork(top), "mkdir", "/d")
    run.is_refused(child, "mkdir", EPERM)
    run.tells(child, "mkdir: cannot create directory '/d': Operation not permitted")
    run.calls(child, "exit_group")
    run.ends(child, 1)
    run.calls(top, "wait4")
    server = run.exec(top, "server")
    run.fails(server, "openat", ENOENT, "/etc/server.conf")
    run.tells(server, "server: /etc/server.conf: No such file or directory")
    run.calls(server, "exit_group")
    run.ends(server, 1)
    assert run.cause().seccomp is False
