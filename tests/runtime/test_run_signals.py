"""Signals reach the command; whichever process ends, nothing is left."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.conftest import Run

from .conftest import left_behind

# A first process must handle the signals that it expects: it ignores others (pid_namespaces(7)).
TRAP = "trap 'echo got {0}; exit 7' {0}; echo ready; while :; do sleep 0.01; done"


def start(command: list[str], **options: Any) -> subprocess.Popen[str]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def finish(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=60)
    return output


def runtime_of(process: subprocess.Popen[str]) -> int:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    (child,) = children
    return int(child)


@pytest.mark.parametrize("name", ["TERM", "INT", "HUP", "QUIT", "USR1", "USR2", "ALRM"])
def test_forwarded(argv: Callable[..., list[str]], own_name: str, name: str) -> None:
    process = start(argv("--name", own_name, "sh", "-c", TRAP.format(name)))
    process.send_signal(signal.Signals[f"SIG{name}"])
    assert finish(process) == f"got {name}\n"
    assert process.returncode == 7
    assert left_behind(own_name) == set()


SLEEP = "echo ready; exec sleep 100"


@pytest.mark.parametrize("name", ["TERM", "INT", "HUP", "QUIT"])
def test_without_a_handler_the_default_action_is_taken(
    argv: Callable[..., list[str]], own_name: str, name: str
) -> None:
    process = start(argv("--name", own_name, "sh", "-c", SLEEP))
    number = signal.Signals[f"SIG{name}"]
    wait_for_exec(process, "sleep")
    process.send_signal(number)
    assert finish(process) == ""
    assert process.returncode == 128 + number
    assert left_behind(own_name) == set()


def test_signals_ignored_by_the_command_stay_ignored(
    argv: Callable[..., list[str]], own_name: str
) -> None:
    script = "trap '' TERM; echo ready; exec sleep 100"
    process = start(argv("--name", own_name, "sh", "-c", script))
    wait_for_exec(process, "sleep")
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGUSR1)  # process 1 has no default action in the kernel
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 128 + signal.SIGINT
    assert left_behind(own_name) == set()


def wait_for_exec(process: subprocess.Popen[str], name: str) -> None:
    """Wait until a descendant runs that program, so that the shell does not get the signal."""
    deadline = time.monotonic() + 60
    while name not in {read_name(entry) for entry in descendants(process.pid)}:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def read_name(entry: Path) -> str:
    with suppress(OSError):  # it has ended
        return (entry / "comm").read_text().strip()
    return ""


def descendants(pid: int) -> list[Path]:
    found, waiting = [], [pid]
    while waiting:
        with suppress(OSError):  # it has ended
            for task in Path(f"/proc/{waiting.pop()}/task").iterdir():
                children = (task / "children").read_text().split()
                waiting += children
                found += [Path("/proc") / child for child in children]
    return found


def test_the_command_starts_with_no_signal_blocked_and_our_own_ignored(
    argv: Callable[..., list[str]],
) -> None:
    command = argv("grep", "-E", "Sig(Blk|Ign)", "/proc/self/status")
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert lines == ["SigBlk:", "0" * 16, "SigIgn:", "0" * 16]


# crun blocks the signals that it reads by signalfd(2)
@pytest.mark.parametrize("runtime", ["runc"])
def test_the_runtime_gets_our_own_signal_mask(argv: Callable[..., list[str]]) -> None:
    """seclatch blocks signals for itself alone, or the runtime would ignore them."""
    process = start(argv("sh", "-c", TRAP.format("TERM")))
    status = Path(f"/proc/{runtime_of(process)}/status").read_text()
    (blocked,) = [line.split()[1] for line in status.splitlines() if line.startswith("SigBlk")]
    assert int(blocked, 16) == 0
    process.send_signal(signal.SIGTERM)
    finish(process)


def test_ignored_from_the_start_stays_ignored(
    argv: Callable[..., list[str]], own_name: str
) -> None:
    script = 'trap "" HUP; exec "$@"'
    command = ["sh", "-c", script, "sh", *argv("--name", own_name, "sh", "-c", TRAP.format("TERM"))]
    process = start(command)
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGTERM)
    assert finish(process) == "got TERM\n"


def test_children_ignored_by_the_caller_keep_their_status(argv: Callable[..., list[str]]) -> None:
    command = ["bash", "-c", "trap '' CHLD; exec \"$@\"", "sh", *argv("sh", "-c", "exit 9")]
    assert subprocess.run(command, check=False, timeout=60).returncode == 9


def test_runtime_killed(argv: Callable[..., list[str]], own_name: str) -> None:
    process = start(argv("--name", own_name, "sh", "-c", "echo ready; sleep 1000"))
    os.kill(runtime_of(process), signal.SIGKILL)
    finish(process)
    assert process.returncode == 128 + signal.SIGKILL
    assert left_behind(own_name) == set()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopped_at_any_moment_of_the_start(
    argv: Callable[..., list[str]], own_name: str, number: int
) -> None:
    """At any moment: it ends, with the signal's status, and leaves nothing."""
    for attempt in range(8):
        name = f"{own_name}-{attempt}"
        with subprocess.Popen(
            argv(
                "--name", name, "sh", "-c", "trap 'exit 7' TERM INT; while :; do sleep 0.01; done"
            ),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            _wait_for_moment(process, attempt, name)
            while process.poll() is None:
                process.send_signal(number)
                _pause()
            # 2: a bare runc sometimes exits so, when the signal arrives before it is ready
            assert process.returncode in (7, 125, 128 + number, -number, 1, 2)
        assert left_behind(name) == set()


def _wait_for_moment(process: subprocess.Popen[bytes], attempt: int, name: str) -> None:
    """Wait: even attempts until the bundle exists, odd ones until the runtime does."""
    while process.poll() is None:
        if attempt % 2 == 0 and list(Path("/run").glob(f"seclatch-{name}-*")):
            return
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        if attempt % 2 == 1 and children:
            return


def _pause() -> None:
    signal.sigtimedwait([], 0.02)


def test_name_in_use_is_left_alone(argv: Callable[..., list[str]], run: Run, own_name: str) -> None:
    process = start(argv("--name", own_name, "sh", "-c", TRAP.format("TERM")))
    second = run("--name", own_name, "true")
    assert second.returncode == 125
    assert own_name in second.stderr
    process.send_signal(signal.SIGTERM)
    assert finish(process) == "got TERM\n"


def test_many_at_once(argv: Callable[..., list[str]], own_name: str) -> None:
    names = [f"{own_name}-{number}" for number in range(12)]
    many = [
        subprocess.Popen(
            argv("--name", name, "sh", "-c", f"exit {number}"), stderr=subprocess.DEVNULL
        )
        for number, name in enumerate(names)
    ]
    assert [process.wait(120) for process in many] == list(range(12))
    assert set().union(*map(left_behind, names)) == set()


@pytest.mark.parametrize("command", ["true", "/nonexistent"])
def test_nothing_is_left(run: Run, own_name: str, command: list[str]) -> None:
    run("--name", own_name, command)
    assert left_behind(own_name) == set()


def test_bundle_is_private(argv: Callable[..., list[str]], own_name: str) -> None:
    process = start(argv("--name", own_name, "sh", "-c", TRAP.format("TERM")))
    (bundle,) = Path("/run").glob(f"seclatch-{own_name}-*")
    assert bundle.stat().st_mode & 0o777 == 0o700
    process.send_signal(signal.SIGTERM)
    finish(process)
