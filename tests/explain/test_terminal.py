"""A command with a terminal works as usual under `explain`, including job control."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.explain.conftest import SECLATCH
from tests.explain.corpus import denying
from tests.latch.oci import Bundle, Runtime
from tests.runtime.console import Console

JOB = "echo go$0; exec sleep 1000"  # printed by the job itself: from then on it gets the keys


def ask(console: Console, words: str, answer: str) -> None:
    """Type at the prompt: earlier input is flushed when the terminal changes its mode."""
    console.expect("# ")
    console.type(words)
    console.expect(answer)


def test_a_shell_with_job_control(
    tmp_path: Path, bundle: Callable[..., Bundle], plain: Runtime
) -> None:
    made = bundle(["/bin/sh"], seccomp=denying("mkdir"))
    made.config["process"]["terminal"] = True
    made.write()
    file = tmp_path / "why.json"
    words = plain.argv("run", "--bundle", made.path, made.id)
    with Console([SECLATCH, "explain", "--json", "-o", str(file), "--", *words]) as console:
        ask(console, "test -t 0 && echo is$((40 + 2))\n", "is42")
        ask(console, f"sh -c '{JOB}' 1\n", "go1")
        console.type("\x03")  # this interrupts the container's foreground job
        ask(console, "echo after$?\n", "after130")
        ask(console, f"sh -c '{JOB}' 2\n", "go2")
        console.type("\x1a")
        console.expect("Stopped")
        ask(console, "fg\n", "exec sleep")
        console.type("\x03")
        ask(console, "echo ended$?\n", "ended130")
        ask(console, "mkdir /x; echo then$?\n", "then1")
        # `exit` may first warn about the stopped job, and not exit.
        ask(console, "exec sh -c 'exit 7'\n", "exit 7")
        assert console.wait() == 7
    document = json.loads(file.read_text())
    assert document["incomplete"] == 0
    # The denied call may be the cause of its status 7 or not; setpgid at a shell's end never is.
    assert (document["seccomp"], document["cause"]) == (None, "possibly-denied"), document
    assert [one["syscall"] for one in document["denials"]] == ["mkdir"]


def test_a_shell_that_exits(tmp_path: Path, bundle: Callable[..., Bundle], plain: Runtime) -> None:
    made = bundle(["/bin/sh"], seccomp=denying("swapon"))
    made.config["process"]["terminal"] = True
    made.write()
    file = tmp_path / "why.json"
    words = plain.argv("run", "--bundle", made.path, made.id)
    with Console([SECLATCH, "explain", "--json", "-o", str(file), "--", *words]) as console:
        ask(console, "exit 7\n", "exit 7")
        assert console.wait() == 7
    document = json.loads(file.read_text())
    assert (document["seccomp"], document["cause"]) == (False, "program-failed"), document
