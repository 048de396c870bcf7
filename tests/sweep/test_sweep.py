"""A start ends bound, refused or dead, at whatever moment a tracer is killed. `make sweep` tries
every moment, these tests the critical ones and some of the others."""

from __future__ import annotations

import pytest

from tests.sweep.conftest import Recorder
from tests.sweep.starts import KINDS, Kind
from tests.sweep.sweep import Sweep

pytestmark = pytest.mark.root

LOADING = [kind for kind in KINDS if kind.method != "suspend"]
SUSPENDING = [kind for kind in KINDS if kind.method == "suspend"]


@pytest.mark.parametrize("kind", LOADING, ids=str)
def test_a_tracer_killed_from_the_load_to_the_release(
    kind: Kind, sweep: Sweep, recorder: Recorder
) -> None:
    """At no moment does the runtime go on with an answer to its load, and without a filter."""
    points = sweep.points_from_load()
    result = recorder.run(sweep, points)
    assert not result.faults
    assert result.points > 30
    assert result.counts["dead"] > 3


@pytest.mark.parametrize("kind", SUSPENDING, ids=str)
def test_a_tracer_killed_while_seccomp_is_suspended(
    kind: Kind, sweep: Sweep, recorder: Recorder
) -> None:
    result = recorder.run(sweep, sweep.points()[::10])
    assert not result.faults
    assert result.counts["bound"] > 1
