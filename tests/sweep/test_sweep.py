"""A start ends bound, refused or dead, whenever a tracer is killed.

`make sweep` tries every moment; these tests try one in three of the critical ones, and some of the
others. The kinds of start of one verb and method try different thirds, together all.
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
from tests.sweep.starts import BOUND, KINDS, METHODS, PROFILE, REFUSED, Kind
from tests.sweep.sweep import Point, Result, Sweep

pytestmark = pytest.mark.root
RunSweep = Callable[[Sweep, list[Point]], Result]

LOADING = [kind for kind in KINDS if kind.method != "suspend"]
# In an emulated guest (tests/arm64) a few kinds are tried, at each moment.
EACH = 1 if os.environ.get("SECLATCH_GUEST") else 3


def choose_points(kind: Kind, points: list[Point]) -> list[Point]:
    """Return the part of the points that this kind of start tries."""
    alike = [one for one in LOADING if (one.method, one.verb) == (kind.method, kind.verb)]
    return points[(alike.index(kind) + METHODS.index(kind.method)) % EACH :: EACH]


@pytest.mark.parametrize("count", [1, 2, 3, 46, 47])
def test_kinds_of_one_verb_try_each_point_between_them(count: int) -> None:
    """By one method, and by both of each runtime; only root has `runc exec`, which is two kinds."""
    points = [(1, f"+{number}") for number in range(count)]
    groups: dict[tuple[str, str], list[list[Point]]] = {}
    for kind in LOADING:
        chosen = choose_points(kind, points)
        groups.setdefault((kind.method, kind.verb), []).append(chosen)
        if (kind.runtime, kind.verb) != REFUSED:
            groups.setdefault((kind.runtime, kind.verb), []).append(chosen)
    assert len(groups) == 11
    for name, group in groups.items():
        assert set(itertools.chain(*group)) == set(points), name


@pytest.mark.parametrize("kind", LOADING, ids=str)
def test_a_tracer_killed_from_the_load_to_the_release(
    kind: Kind, sweep: Sweep, run_sweep: RunSweep
) -> None:
    """At no moment does the runtime continue with an answer to its load but without a filter."""
    points = sweep.points_from_load()
    result = run_sweep(sweep, choose_points(kind, points))
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
