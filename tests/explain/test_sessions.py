"""Exec sessions in a running container; and a runtime that hangs under its filter."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.explain.conftest import SECLATCH, Explain
from tests.explain.corpus import denying
from tests.latch.oci import Bundle, Runtime, running, wait_until

pytestmark = pytest.mark.root
Make = Callable[..., Bundle]


@pytest.mark.parametrize(
    ("name", "call"), [("runc", "chdir"), ("crun", "setgroups"), ("runc", "getdents64")]
)
def test_an_exec_that_the_filter_stops(
    explain: Explain, bundle: Make, name: str, call: str
) -> None:
    """The container's start was latched; the plain runtime's exec is not."""
    made = bundle(["/bin/sleep", "100"], seccomp=denying(call))
    plain = Runtime(name, latched=False)
    with running(Runtime(name), made):
        done = explain(plain.argv("exec", made.id, "/bin/true"))
        assert done.done.returncode != 0
        assert (done.seccomp, done.cause) == (True, "runtime-denied"), done.document
        [fatal] = [one for one in done.document["denials"] if one["fatal"]]
        assert (fatal["session"], fatal["syscall"]) == ("exec", call)
        assert fatal["rule"]["by"] == "rule"
        assert call in done.needs()
        assert done.document["needs"]["found"] == "exec"


# Calls of a runtime's exec that a sleeping program does not issue.
OF_EXEC_TEXT = """
capget capset chdir close close_range epoll_ctl faccessat2 fcntl fstatfs getcwd getdents64
prctl setgid setgroups setresgid setresuid setuid umask write swapon
"""
OF_EXEC = set(OF_EXEC_TEXT.split())


def test_all_calls_that_an_exec_needs_at_once(
    explain: Explain, bundle: Make, plain: Runtime, no_new_privileges: bool
) -> None:
    """The named calls are sufficient for the plain runtime, and not all denied calls are named."""
    quiet = ["--no-new-privs"] if no_new_privileges else []
    options = {"no_new_privileges": no_new_privileges}
    made = bundle(["/bin/sleep", "100"], seccomp=denying(*OF_EXEC), **options)
    with running(Runtime(plain.name), made):
        done = explain(plain.argv("exec", *quiet, made.id, "/bin/exit42"))
    assert (done.seccomp, done.cause) == (True, "runtime-denied"), done.document
    assert done.document["needs"]["found"] == "exec"
    assert done.needs() < OF_EXEC
    left = denying(*OF_EXEC - done.needs())
    made = bundle(["/bin/sleep", "100"], seccomp=left, **options)
    with running(Runtime(plain.name), made):
        assert plain("exec", *quiet, made.id, "/bin/exit42").returncode == 42


def test_crun_s_exec_does_not_set_no_new_privs(explain: Explain, bundle: Make) -> None:
    """So its exec needs the same calls as without no_new_privs."""
    made = bundle(["/bin/sleep", "100"], seccomp=denying("setresuid"), no_new_privileges=True)
    with running(Runtime("crun"), made):
        done = explain(Runtime("crun", latched=False).argv("exec", made.id, "/bin/true"))
    assert (done.cause, done.needs()) == ("runtime-denied", {"setresuid"}), done.document


def test_a_second_ctrl_c_ends_a_hanging_runtime(bundle: Make, tmp_path: Path) -> None:
    """KILL_THREAD ends runc's main thread; the others wait for it for ever."""
    made = bundle(["/bin/true"], seccomp=denying("capset", action="SCMP_ACT_KILL_THREAD"))
    file, result = tmp_path / "why.json", tmp_path / "told"
    words = Runtime("runc", latched=False).argv("run", "--bundle", made.path, made.id)
    with result.open("w") as errors:
        process = subprocess.Popen(
            [SECLATCH, "explain", "--json", "-o", file, "--", *words],
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
        )
    try:
        wait_until(lambda: "seems to hang" in result.read_text(), "it to be said", seconds=60)
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)  # two signals at once are merged into one
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 128 + signal.SIGKILL
    finally:
        process.kill()
        process.wait()
        subprocess.run(["runc", "delete", "--force", made.id], capture_output=True, check=False)
    document = json.loads(file.read_text())
    assert (document["seccomp"], document["cause"]) == (True, "runtime-denied")
    [fatal] = [one for one in document["denials"] if one["fatal"]]
    assert (fatal["syscall"], fatal["signal"]) == ("capset", "SIGSYS")
