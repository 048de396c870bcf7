"""Run a test suite below a recorder; write its recordings and check the profiles."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from seclatch.errors import SeclatchError
from seclatch.output.printable_text import make_printable
from seclatch.pytest_plugin import TESTS_VARIABLE
from seclatch.pytest_plugin.image_profiles import parse_image_profile
from seclatch.pytest_plugin.split_trace import SuiteContainer, SuiteTrace
from seclatch.pytest_plugin.suite_summary import group_by_image, summarize, write_recordings
from seclatch.pytest_plugin.tests_of_containers import RanTest, find_tests
from seclatch.recording.record_command import record_command
from seclatch.recording.recorder import RecordOptions

_FAILED = 1  # pytest's own status of a run in which tests failed


def run_suite(words: tuple[str, ...], folder: Path | None, profiles: Iterable[str]) -> int:
    """Run pytest, print the summary, and return its exit status, or 1 if a profile does not fit.

    Raises SeclatchError, before any test has run if a profile cannot be read, the recordings cannot
    be written, or this process may not record.
    """
    wanted = [parse_image_profile(text) for text in profiles]
    if folder:
        _make_folder(folder)
    status, containers = _record(words)
    images = group_by_image(containers)
    if folder:
        write_recordings(images, folder)
    lines, fits = summarize(images, wanted)
    _print(lines)
    return status or (0 if fits else _FAILED)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SeclatchError(
            f"the recordings cannot be written into {folder}: {error.strerror}",
            remedy="give another directory with --seclatch-record",
        ) from error


def _record(words: tuple[str, ...]) -> tuple[int, list[SuiteContainer]]:
    """Run the command below a recorder; return its status and what its containers did."""
    with tempfile.TemporaryDirectory(prefix="seclatch-pytest-") as directory:
        times = Path(directory) / "tests"
        times.touch()
        os.environ[TESTS_VARIABLE] = str(times)
        try:
            with SuiteTrace() as suite:
                options = RecordOptions(
                    notify=lambda sentence: _print([sentence]),
                    backend="ebpf",
                    watch=suite.watch,
                    query_images=False,
                    until_command_ends=True,
                )
                status, recording = record_command(words, options)
            ran = [RanTest(*json.loads(line)) for line in times.read_text().splitlines()]
        finally:
            del os.environ[TESTS_VARIABLE]
    containers = suite.split(words, recording)
    return status, [find_tests(container, ran) for container in containers]


def _print(lines: Iterable[str]) -> None:
    """Print lines to standard error, after what pytest has printed."""
    sys.stdout.flush()
    for line in lines:
        print(f"seclatch: {make_printable(line)}", file=sys.stderr)
