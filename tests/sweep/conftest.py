from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Compiler
from tests.latch.conftest import no_tracer_left  # noqa: F401 (a fixture for each test)
from tests.sweep.starts import Kind, make_root
from tests.sweep.sweep import RESULTS, Point, Result, Sweep


@pytest.fixture(scope="session")
def place(compiler: Compiler) -> Iterator[Path]:
    """A folder that other users reach, with a root directory in it."""
    folder = Path(tempfile.mkdtemp(prefix="seclatch-sweep-"))
    folder.chmod(0o755)
    make_root(folder / "root", compiler)
    shutil.copy(compiler("kill_tracer"), folder / "kill_tracer")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def sweep(kind: Kind, place: Path, compiler: Compiler) -> Iterator[Sweep]:
    folder = Path(tempfile.mkdtemp(dir=place))
    folder.chmod(0o755)
    front = None
    if os.environ.get("SECLATCH_GUEST"):  # where the wheel's has no symbols
        front = folder / f"seclatch-{kind.runtime}"
        shutil.copy(compiler("latch"), front)
    yield Sweep(kind, folder, place / "root", place / "kill_tracer", front)


class Recorder:
    """Runs sweeps and keeps their counts for the terminal's summary."""

    def __init__(self, config: pytest.Config) -> None:
        self.results = config.stash.setdefault(RESULTS, [])

    def run(self, sweep: Sweep, points: list[Point]) -> Result:
        result = sweep.run(points)
        self.results.append(result)
        return result


@pytest.fixture
def recorder(pytestconfig: pytest.Config) -> Recorder:
    return Recorder(pytestconfig)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    results = terminalreporter.config.stash.get(RESULTS, [])
    if results:
        total: Counter[str] = sum((each.counts for each in results), Counter())
        words = ", ".join(f"{count} {word}" for word, count in sorted(total.items()))
        points = sum(each.points for each in results)
        terminalreporter.write_line(f"tests/sweep: a tracer was killed at {points} points: {words}")
