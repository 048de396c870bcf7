from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Compiler
from tests.latch.conftest import no_tracer_left  # noqa: F401 (a fixture for each test)
from tests.sweep.starts import Kind, make_root
from tests.sweep.summary import PROPERTY
from tests.sweep.sweep import Point, Result, Sweep
from tests.sweep.table import row


@pytest.fixture(scope="session")
def place(compiler: Compiler) -> Iterator[Path]:
    """Make a directory that other users can reach, with a root directory in it."""
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


@pytest.fixture
def run_sweep(request: pytest.FixtureRequest) -> Callable[[Sweep, list[Point]], Result]:
    """Provide a sweep; its counts go into the report of the test (summary.py)."""

    def run(sweep: Sweep, points: list[Point]) -> Result:
        result = sweep.run(points)
        printed = {"row": row(result), "counts": dict(result.counts)}
        request.node.user_properties.append((PROPERTY, printed))
        return result

    return run
