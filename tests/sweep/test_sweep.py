"""A start ends bound, refused or dead, whenever a tracer is killed.

`make sweep` tries every moment; these tests try one in three of the critical ones, at each kind of
start another third, and some of the others.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from seclatch.profile.compile.compile_profile import Runtime, compile_profile
from seclatch.profile.parse.load_profile import parse_profile
from tests.conftest import Compiler
from tests.latch.oci import SCRIPTS
from tests.sweep.starts import BOUND, KINDS, PROFILE, Kind
from tests.sweep.sweep import Point, Result, Sweep

pytestmark = pytest.mark.root
RunSweep = Callable[[Sweep, list[Point]], Result]

LOADING = [kind for kind in KINDS if kind.method != "suspend"]
# In an emulated guest (tests/arm64) a few kinds are tried, at each moment.
EACH = 1 if os.environ.get("SECLATCH_GUEST") else 3


@pytest.mark.parametrize("kind", LOADING, ids=str)
def test_a_tracer_killed_from_the_load_to_the_release(
    kind: Kind, sweep: Sweep, run_sweep: RunSweep
) -> None:
    """At no moment does the runtime continue with an answer to its load but without a filter."""
    points = sweep.points_from_load()
    result = run_sweep(sweep, points[LOADING.index(kind) % EACH :: EACH])
    assert not result.faults
    assert result.points > 30 // EACH
    assert result.counts["dead"] > 3 // EACH


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_tracer_killed_at_some_of_its_calls(
    kind: Kind, sweep: Sweep, run_sweep: RunSweep
) -> None:
    result = run_sweep(sweep, sweep.points()[::20])
    assert not result.faults
    assert result.counts["bound"] > 1


def test_killing_the_tracer_of_apply(place: Path, compiler: Compiler, tmp_path: Path) -> None:
    """seclatch-apply injects the load into the program at its exec stop, as hold does."""
    profile = parse_profile(json.dumps(PROFILE), "profile")
    (tmp_path / "filter").write_bytes(compile_profile(profile, runtime=Runtime("crun")).code)
    report = tmp_path / "report"
    command = [str(SCRIPTS / "seclatch-apply"), str(tmp_path / "filter"), str(compiler("bound"))]
    seen = []
    for point in itertools.count():
        words = [place / "kill_tracer", report, "1", str(point), "20", *command]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        if "killed=0" in report.read_text():
            break
        seen.append(done.stdout)
    assert done.stdout == f"{BOUND}\n"
    assert set(seen) == {"", f"{BOUND}\n"}
    assert len(seen) > 20
