"""Tests below tests/unit are held to values."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests import chance

pytest_plugins = ["pytester"]

ACTIONS = {
    "a process": "subprocess.run(['true'])",
    "a process of a module that suppresses errors": "start_quietly()",
    "a fork": "os.waitpid(os.fork() or os._exit(0), 0)",
    "a signal": "os.kill(os.getpid(), 0)",
    "a thread": "threading.Thread(target=str).start()",
    "a pool of threads": "list(ThreadPoolExecutor().map(str, [1]))",
    "a pause": "time.sleep(0)",
    "a socket": "socket.socket(socket.AF_UNIX).bind('s')",
}
SOURCE = """
import os, socket, subprocess, threading, time
from concurrent.futures import ThreadPoolExecutor
import pytest
from seclatch.system.bounded_child import run_bounded

def start_quietly():
    try:
        subprocess.run(["true"])
    except BaseException:
        pass

@pytest.fixture
def made():
    {fixture}

{mark}
def test_it(made):
    {test}
"""
Run = Callable[..., pytest.RunResult]


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(chance, "PURE", pytester.path)

    def run_one(test: str = "pass", fixture: str = "pass", mark: str = "") -> pytest.RunResult:
        pytester.makeini("[pytest]\nmarkers = root: needs root")
        pytester.makepyfile(SOURCE.format(test=test, fixture=fixture, mark=mark))
        return pytester.runpytest_inprocess("-p", "tests.values", "-p", "no:cacheprovider")

    return run_one


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
def test_what_no_test_of_values_does(run: Run, action: str) -> None:
    run(test=action).assert_outcomes(failed=1)
    run(fixture=action).assert_outcomes(errors=1)


def test_no_test_of_values_needs_root(run: Run) -> None:
    run(mark="@pytest.mark.root").assert_outcomes(errors=1)


def test_a_compiler_s_child_is_a_function(run: Run) -> None:
    run(test="assert run_bounded(lambda: b'x') == b'x'").assert_outcomes(passed=1)


def test_tests_elsewhere_may(
    run: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chance, "PURE", pytester.path / "unit")
    run(test="; ".join(ACTIONS.values())).assert_outcomes(passed=1)
