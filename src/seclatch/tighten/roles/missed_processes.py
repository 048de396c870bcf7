"""Find processes of a container that appeared while others were bound, and have no filter."""

from __future__ import annotations

import time
from collections.abc import Collection

from seclatch.system.procfs import list_threads, read_start
from seclatch.tighten.run_tighten import MISSED, ProcessOutcome, make_outcome
from seclatch.tighten.tighten_target import TightenTarget, list_target_pids
from seclatch.tighten.verify_bound import find_bound_threads

_EVERY = 0.1


def find_missed(
    target: TightenTarget,
    handled: Collection[tuple[int, int]],
    codes: Collection[bytes],
    wait: float,
) -> list[ProcessOutcome]:
    """List the target again; return processes without any of the filters, if they stay.

    `handled`: ids and start times. Children of bound processes inherit a filter. One that was
    created just before that may have none, and mostly ends soon: it gets `wait` seconds.
    """
    until = time.monotonic() + wait
    while missed := _find_unbound(target, handled, codes):
        if time.monotonic() >= until:
            return [make_outcome(pid, "unbound", MISSED) for pid in missed]
        time.sleep(_EVERY)
    return []


def _find_unbound(
    target: TightenTarget, handled: Collection[tuple[int, int]], codes: Collection[bytes]
) -> list[int]:
    others = [pid for pid in list_target_pids(target) if (pid, read_start(pid)) not in handled]
    unbound = {tid for pid in others for tid in list_threads(pid)}
    for code in codes if others else ():
        found = find_bound_threads(others, code)
        if isinstance(found, str):
            return []  # filters cannot be read here, and the report says so
        unbound &= set(found.unbound)
    return [pid for pid in others if unbound.intersection(list_threads(pid))]
