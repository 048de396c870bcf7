"""Options and hooks of the pytest plugin.

With an option of seclatch, pytest starts itself again below a recorder. The recorder has to exist
before the first container does, and follows what engines do for its descendants alone.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from seclatch.pytest_plugin import TESTS_VARIABLE

# With these, pytest runs no tests.
_NO_TESTS = ("help", "version", "collectonly", "showfixtures", "show_fixtures_per_test", "markers")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options; without them the plugin does nothing."""
    group = parser.getgroup("seclatch", "seccomp profiles of containers (seclatch)")
    group.addoption(
        "--seclatch-record",
        metavar="DIR",
        help="Record the containers that the tests start: a recording for each image, into DIR.",
    )
    group.addoption(
        "--seclatch-profile",
        metavar="[IMAGE=]FILE",
        action="append",
        default=[],
        help="Fail if this profile denies what containers (of this image) did; may be repeated.",
    )
    parser.addini("seclatch_record", "Like --seclatch-record.")
    parser.addini("seclatch_profile", "Like --seclatch-profile, one a line.", type="linelist")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Run pytest below a recorder, if an option asks for it."""
    folder = config.getoption("seclatch_record") or config.getini("seclatch_record")
    profiles = [*config.getini("seclatch_profile"), *config.getoption("seclatch_profile")]
    if (not folder and not profiles) or TESTS_VARIABLE in os.environ:
        return None
    if hasattr(config, "workerinput") or any(config.getoption(each, None) for each in _NO_TESTS):
        return None
    from seclatch.errors import SeclatchError
    from seclatch.pytest_plugin.run_suite import run_suite

    words = (sys.executable, *_read_command_line(config))
    try:
        return run_suite(words, Path(folder) if folder else None, profiles)
    except SeclatchError as error:
        remedy = f"\nwhat to do: {error.remedy}" if error.remedy else ""
        raise pytest.UsageError(f"seclatch: {error}{remedy}") from error


def _read_command_line(config: pytest.Config) -> list[str]:
    """Return the arguments of the interpreter that started pytest, or that start the same run.

    A program that calls `pytest.main` is not started again.
    """
    words = list(config.invocation_params.args)
    if words == sys.argv[1:] and words == sys.orig_argv[len(sys.orig_argv) - len(words) :]:
        return sys.orig_argv[1:]
    return ["-m", "pytest", *words]


def pytest_configure(config: pytest.Config) -> None:
    """Note the times of tests, in the recorded pytest and its workers."""
    if file := os.environ.get(TESTS_VARIABLE):
        config.pluginmanager.register(TimeLog(file), "seclatch-test-times")


class TimeLog:
    """Notes when each test ran, fixtures included: it shows which test started a container."""

    def __init__(self, file: str) -> None:
        self._file = file

    # the old kind of wrapper: pluggy 1.0 of Debian 12 has no other
    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Append the test's times in one write: workers share the file."""
        began = time.monotonic_ns()
        yield
        line = json.dumps([began, time.monotonic_ns(), item.nodeid])
        with Path(self._file).open("a") as times:
            times.write(f"{line}\n")
