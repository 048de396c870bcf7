"""Everything that the front does not change reaches the real runtime as the caller set it."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Compiler
from tests.latch.oci import MARK, copy_front, tracers, wait_until

pytestmark = pytest.mark.root

PR_SET_CHILD_SUBREAPER, PR_SET_PDEATHSIG = 36, 1
_libc = ctypes.CDLL(None, use_errno=True)


def as_subreaper() -> None:
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def with_death_signal() -> None:
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def with_child_signal_ignored() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)


def with_signals_blocked() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD, signal.SIGTERM, signal.SIGUSR1})


def in_own_session() -> None:
    os.setsid()


@pytest.fixture
def facts(tmp_path: Path, compiler: Compiler) -> Callable[..., dict[str, Any]]:
    """Provide facts(program, arguments, setup): what the stand-in runtime saw, and its status."""
    real = compiler("facts")
    front = copy_front(tmp_path / "fronts", "seclatch-facts", real)

    def call(program: str, arguments: list[str], setup: Any = None) -> dict[str, Any]:
        path = front if program == "front" else real
        process = subprocess.Popen(
            [path, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            preexec_fn=setup,  # noqa: PLW1509
            env={"A": "1", "PATH": "/usr/bin", "FACTS_STATUS": "37", **MARK},
        )
        out, _ = process.communicate(b"x" * 200_000)
        found: dict[str, Any] = json.loads(out)
        found["pid_is_ours"] = found.pop("pid") == process.pid
        found["status"] = process.returncode
        found["leads"] = [found.pop("pgid") == process.pid, found.pop("sid") == process.pid]
        return found

    return call


ARGUMENTS = [
    ["state", "x"],
    ["--root", "/r", "--log", "/dev/null", "--log-format", "json", "create", "--bundle", "b", "x"],
    ["--debug", "exec", "x", "a b", "", "--", "c"],
    ["--no-such-option", "value", "run", "x"],
    ["--root=/r", "kill", "run"],
    [],
]
SETUPS = [
    None,
    as_subreaper,
    with_death_signal,
    with_child_signal_ignored,
    with_signals_blocked,
    in_own_session,
]


@pytest.mark.parametrize("arguments", ARGUMENTS, ids=" ".join)
@pytest.mark.parametrize("setup", SETUPS)
def test_the_runtime_finds_what_the_caller_gave(
    facts: Callable[..., dict[str, Any]], arguments: list[str], setup: Any
) -> None:
    assert facts("front", arguments, setup) == facts("bare", arguments, setup)


def test_facts_show_a_difference(facts: Callable[..., dict[str, Any]]) -> None:
    """Check that the stand-in reports differences, on which the comparison above relies."""
    assert facts("bare", ["a"]) != facts("bare", ["b"])
    assert facts("bare", [], as_subreaper)["subreaper"] == 1
    assert facts("bare", [], with_death_signal)["deathsig"] == signal.SIGTERM
    blocked = facts("bare", [], with_signals_blocked)
    assert blocked["SigBlk"] != facts("bare", [])["SigBlk"]


def children() -> set[int]:
    """Return this process's children, including zombies."""
    lists = Path("/proc/self/task").glob("*/children")
    return {int(pid) for one in lists for pid in one.read_text().split()}


@pytest.mark.parametrize("arguments", [["state", "x"], ["--root", "/r", "kill", "run"], ["create"]])
def test_the_caller_gets_no_child_to_reap_and_keeps_no_pipe_open(
    tmp_path: Path, compiler: Compiler, arguments: list[str]
) -> None:
    """A caller that is no subreaper gets no second child.

    Nor does the tracer delay a caller that reads its runtime's pipe to the end.
    """
    front = copy_front(tmp_path / "fronts", "seclatch-facts", compiler("facts"))
    before, own = tracers(), children()
    process = subprocess.Popen([front, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert children() - own <= {process.pid}
    process.communicate(timeout=60)
    assert children() == own
    wait_until(lambda: tracers() <= before, "the tracer to end with the runtime")


def test_death_by_signal_reaches_the_caller(tmp_path: Path, compiler: Compiler) -> None:
    front = copy_front(tmp_path / "fronts", "seclatch-facts", compiler("facts"))
    process = subprocess.Popen([front, "create"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGTERM


def test_name_on_path(tmp_path: Path, compiler: Compiler) -> None:
    """seclatch-facts without a link fronts the first `facts` on PATH that is not itself."""
    real = compiler("facts")
    front = copy_front(tmp_path / "fronts", "seclatch-facts", None)
    trap = tmp_path / "trap"
    trap.mkdir()
    (trap / "facts").hardlink_to(front)
    path = f":.:{trap}:{real.parent}"
    done = subprocess.run(
        [front, "state"],
        env={"PATH": path},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=True,
        cwd=trap,
    )
    assert json.loads(done.stdout)["argv"] == [str(real), "state"]


@pytest.mark.parametrize(
    ("name", "link", "complaint"),
    [
        ("seclatch-nothing", None, "not on PATH"),
        ("latch", None, "has no .runtime link"),
        ("seclatch-", None, "has no .runtime link"),
        ("seclatch-x", "relative", "not an absolute path"),
        ("seclatch-x", "/no/such/runtime", "leads to no other program"),
    ],
)
def test_no_real_runtime(tmp_path: Path, name: str, link: str | None, complaint: str) -> None:
    front = copy_front(tmp_path / "fronts", name, link)
    done = subprocess.run([front, "state"], capture_output=True, text=True, check=False)
    assert done.returncode == 125
    assert done.stdout == ""
    assert complaint in done.stderr


def test_a_front_does_not_front_itself(tmp_path: Path) -> None:
    front = copy_front(tmp_path / "fronts", "seclatch-x", tmp_path / "fronts/seclatch-x")
    done = subprocess.run([front, "state"], capture_output=True, text=True, check=False)
    assert (done.returncode, "leads to no other program" in done.stderr) == (125, True)
