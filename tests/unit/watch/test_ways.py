"""What is taken from seccomp's log, by way and kernel."""

from __future__ import annotations

import pytest

from seclatch.model.seen_denial import SeenAnswer
from seclatch.watch.sources.watch_programs import WatchWay, list_audited

KILLS = {SeenAnswer.KILL_THREAD, SeenAnswer.KILL_PROCESS}


@pytest.mark.parametrize("way", WatchWay)
@pytest.mark.parametrize(
    ("release", "kills"),
    [("5.15.0-91-generic", True), ("5.17.0", False), ("6.12.118+deb13", False)],
)
def test_kills_are_taken_from_the_log_of_old_kernels(
    way: WatchWay, release: str, kills: bool
) -> None:
    found = set(list_audited(way, release))
    assert SeenAnswer.LOG in found and SeenAnswer.TRAP not in found
    assert (found & KILLS == KILLS) is kills
    assert (SeenAnswer.ERRNO in found) is (way is WatchWay.DENIALS)
