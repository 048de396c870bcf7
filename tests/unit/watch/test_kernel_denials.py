"""Times of denials follow the wall clock."""

from __future__ import annotations

import pytest

from seclatch.model.arch import Arch
from seclatch.watch.sources.kernel_denials import KernelDenials
from seclatch.watch.sources.watch_abi import COUNT, KEY

HOUR = 3600 * 10**9


class Denied:
    """One key, that is counted once more each time."""

    count = 0

    def items(self) -> list[tuple[bytes, bytes]]:
        self.count += 1
        key = KEY.pack(1, 7, 39, 0, 1, 1, 0, bytes(24))
        return [(key, COUNT.pack(self.count, 5 * 10**9, 0))]


class Quiet(KernelDenials):
    """Counts without the kernel's programs."""

    def __init__(self) -> None:
        self._denied = Denied()  # type: ignore[assignment]
        self._known = {}
        self._epoch = 0
        self._clock = 0
        self._native = Arch.X86_64

    def take_events(self) -> list:  # type: ignore[type-arg]
        return []

    def _begin_epoch(self) -> None: ...


def test_a_clock_that_is_set_moves_the_times(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100 * HOUR]
    monkeypatch.setattr("time.time_ns", lambda: now[0])
    monkeypatch.setattr("time.monotonic_ns", lambda: 10 * 10**9)
    denials = Quiet()
    (first,) = denials.take_counts()
    assert first.last == 100 * HOUR - 5 * 10**9
    now[0] += 3 * HOUR
    (second,) = denials.take_counts()
    assert second.last - first.last == 3 * HOUR
