"""The terminal, on a real pty, behaves as with `docker run -it`."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.conftest import Run

from .conftest import left_behind
from .console import Console

# Calls that no shell issues and that the runtimes need: only the latch starts with it.
PROFILE = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [{"names": ["capset", "capget", "close_range"], "action": "SCMP_ACT_ERRNO"}],
}


@pytest.fixture(params=[False, True], ids=["bare", "latched"])
def filtered(request: pytest.FixtureRequest, argv: Callable[..., list[str]], tmp_path: Path) -> Any:
    """Return the command line, without a filter (bare runtime) and with one (latch)."""
    profile = tmp_path / "profile.json"
    profile.write_text(json.dumps(PROFILE))
    return lambda *words: argv(*(("--profile", profile) if request.param else ()), *words)


def test_a_terminal_is_the_default_when_there_is_one(filtered: Callable[..., list[str]]) -> None:
    with Console(
        filtered("sh", "-c", "tty; test -t 0 -a -t 1 -a -t 2; echo status $?; read end")
    ) as console:
        console.expect(r"/dev/(pts/0|console)\s+status 0")
        assert console.end() == 0


@pytest.mark.parametrize("words", ["--no-tty", ""])
def test_no_terminal_if_the_output_is_none(argv: Callable[..., list[str]], words: Any) -> None:
    command = argv(*words.split(), "sh", "-c", "test -t 1; echo status $?")
    with Console(["sh", "-c", '"$@" | cat; sleep 1', "sh", *command]) as console:
        console.expect("status 1")
        assert console.wait() == 0


def test_a_requested_terminal_that_is_missing(run: Run) -> None:
    result = run("--tty", "true")
    assert result.returncode == 2
    assert "not a terminal" in result.stderr


def test_window_size_from_the_start(filtered: Callable[..., list[str]]) -> None:
    with Console(filtered("sh", "-c", "stty size; read end"), columns=101, lines=33) as console:
        console.expect(r"33 101")
        assert console.end() == 0


def test_window_size_changes_with_the_terminal(filtered: Callable[..., list[str]]) -> None:
    script = (
        "trap 'echo now $(stty size); read end; exit' WINCH; echo ready; "
        "while :; do sleep 0.01; done"
    )
    with Console(filtered("sh", "-c", script)) as console:
        console.expect("ready")
        console.resize(90, 40)
        console.expect("now 40 90")
        assert console.end() == 0


def test_read_from_the_terminal(filtered: Callable[..., list[str]]) -> None:
    script = "printf 'name? '; read name; echo hello $name; read end"
    with Console(filtered("sh", "-c", script)) as console:
        console.expect(r"name\? ")
        console.type("world\n")
        console.expect("hello world")
        assert console.end() == 0


def test_ctrl_c_reaches_the_command_once(filtered: Callable[..., list[str]]) -> None:
    script = "trap 'echo caught; read end; exit 7' INT; echo ready; while :; do sleep 0.01; done"
    with Console(filtered("sh", "-c", script)) as console:
        console.expect("ready")
        console.type("\x03")
        console.expect("caught")
        assert console.end() == 7


def test_ctrl_c_without_a_terminal_of_its_own(filtered: Callable[..., list[str]]) -> None:
    """The kernel sends SIGINT to seclatch and the runtime; the command must get one, not two."""
    script = (
        "n=0; trap 'n=$((n+1)); echo caught $n' INT; echo ready; read line; read line; echo n $n; "
        "read end"
    )
    with Console(filtered("--no-tty", "sh", "-c", script)) as console:
        console.expect("ready")
        console.type("\x03")
        console.expect("caught 1")
        console.type("\n\n")
        console.expect("n 1")
        assert console.end() == 0


def test_end_of_input(filtered: Callable[..., list[str]]) -> None:
    with Console(filtered("sh", "-c", "echo ready; cat; read end")) as console:
        console.expect("ready")
        console.type("line\n\x04")
        console.expect(r"line\s+line")
        assert console.end() == 0


def test_job_control_in_the_container(filtered: Callable[..., list[str]]) -> None:
    with Console(filtered("sh", "-i")) as console:
        console.expect("# ")
        console.type("sh -c 'echo star''ted; exec sleep 1000'\n")
        console.expect("started")
        console.type("\x1a")
        console.expect("Stopped")
        console.type("exit 3\n")
        console.expect("exit 3")
        console.type("exit 3\n")
        assert console.wait() == 3


def test_settings_are_restored(filtered: Callable[..., list[str]]) -> None:
    with Console(filtered("sh", "-c", "stty raw -echo; echo done; head -n1")) as console:
        before = console.settings()
        console.expect("done")
        assert console.end() == 0
        assert console.settings() == before


def test_settings_are_restored_when_the_runtime_is_killed(
    argv: Callable[..., list[str]], own_name: str
) -> None:
    command = argv("--name", own_name, "sh", "-c", "echo ready; sleep 1000")
    with Console(command) as console:
        before = console.settings()
        console.expect("ready")
        assert console.settings() != before, "the runtime has not made the terminal raw"
        for child in console.children():
            os.kill(child, signal.SIGKILL)
        assert console.wait() == 128 + signal.SIGKILL
        assert console.settings() == before
        assert left_behind(own_name) == set()


def test_terminal_that_hangs_up(
    argv: Callable[..., list[str]], own_name: str, tmp_path: Path
) -> None:
    """SIGHUP goes to the session's leader alone, which is `seclatch run` under `ssh -t`."""
    script = "trap 'touch /v/hung-up; exit 9' HUP; echo ready; while :; do sleep 0.01; done"
    console = Console(argv("--name", own_name, "-v", f"{tmp_path}:/v", "sh", "-c", script))
    console.expect("ready")
    os.close(console.keyboard)
    os.close(console.screen)  # the last descriptor: the kernel hangs the session up
    assert console.wait() == 9
    assert (tmp_path / "hung-up").exists()
    assert left_behind(own_name) == set()


def test_stopped_in_the_background_until_fg(argv: Callable[..., list[str]]) -> None:
    """`seclatch run … &` wants the terminal: the shell must see it stop, and `fg` continue it."""
    with Console(["bash", "--norc", "-i"]) as console:
        console.expect(r"\$ |# ")
        quoted = " ".join(f"'{word}'" for word in argv("sh", "-c", "stty size; echo in front"))
        console.type(quoted + " &\n")
        console.type("while ! jobs | grep -q Stopped; do sleep 0.05; done; echo is-''stopped\n")
        console.expect("is-stopped")
        assert "24 80" not in console.shown
        console.type("fg\n")
        console.expect(r"24 80\s+in front")
        console.expect("# ")  # until then the terminal belongs to the container
        console.type("exit\n")
        assert console.wait() == 0


def test_input_that_is_a_pipe_is_no_terminal(run: Run) -> None:
    result = run("sh", "-c", "test -t 0; echo $?", input="", stdin=None)
    assert result.stdout == "1\n"
