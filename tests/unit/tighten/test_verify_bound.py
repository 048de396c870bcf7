"""Filters are read back while the processes go on."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from seclatch.tighten import verify_bound
from seclatch.tighten.verify_bound import BoundThreads, find_bound_threads

CODE = b"filter"
BOUND = SimpleNamespace(layers=(SimpleNamespace(code=CODE),))


def test_a_thread_created_while_filters_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is missing from the first reading; thread 3 has no filter in the second one either."""
    readings = [{1: BOUND}, {1: BOUND, 2: BOUND}]
    monkeypatch.setattr(verify_bound, "read_kernel", lambda: readings.pop(0))
    monkeypatch.setattr(verify_bound, "list_threads", lambda _: [1, 2, 3])
    monkeypatch.setattr(verify_bound, "is_alive", lambda *_: True)
    assert find_bound_threads([1], CODE) == BoundThreads((1, 2), (3,))
