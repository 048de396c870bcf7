"""The command line as a whole: help, errors in one place, completion."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from seclatch.cli.main import COMMANDS


def seclatch(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "seclatch", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples(command: str) -> None:
    done = seclatch(command, "--help")
    assert done.returncode == 0
    assert done.stderr == ""
    assert "Examples:" in done.stdout or "Commands:" in done.stdout
    assert done.stdout.startswith(f"Usage: seclatch {command}")


def test_an_unknown_command() -> None:
    done = seclatch("nonsense")
    assert (done.returncode, done.stdout) == (2, "")
    assert "No such command 'nonsense'" in done.stderr


def test_a_closed_output_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "seclatch", "--help"],
        stdout=write,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(write)
    assert done.stderr == b""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str) -> None:
    done = seclatch("completion", shell)
    assert (done.returncode, done.stderr) == (0, "")
    assert "_SECLATCH_COMPLETE" in done.stdout


def test_completion_completes() -> None:
    words = {"_SECLATCH_COMPLETE": "bash_complete", "COMP_CWORD": "1"}
    assert seclatch(COMP_WORDS="seclatch doc", **words).stdout == "plain,doctor\n"


@pytest.mark.parametrize(
    ("line", "word", "expected"),
    [
        (["run"], "env", "plain,env"),
        (["explain", "--"], "env", "plain,env"),
        (["apply", "--profile", "x.json", "env"], "", "file,"),
        (["record"], "mer", "plain,merge"),
        (["install"], "w", "plain,watch"),
        (["uninstall", "watch"], "--dr", "plain,--dry-run"),
        (["record", "-q"], "/bin/e", "file,/bin/e"),
        (["record", "merge"], "x", "file,x"),
    ],
)
def test_completion_of_a_program_s_words(line: list[str], word: str, expected: str) -> None:
    """Complete the first as the shell completes commands, the others as files."""
    words = ["seclatch", *line, word]
    done = seclatch(
        _SECLATCH_COMPLETE="bash_complete",
        COMP_WORDS="\n".join(words),
        COMP_CWORD=str(len(line) + 1),
    )
    assert expected in done.stdout.splitlines()


def test_an_interrupt_while_it_loads_shows_no_traceback() -> None:
    """The signal is sent by an imported module, the earliest moment that a test can reach."""
    script = (
        "import os, signal, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'click': os.kill(os.getpid(), signal.SIGINT)\n"
        "from seclatch.cli.entry import main\n"
        "sys.meta_path.insert(0, Finder())\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")
