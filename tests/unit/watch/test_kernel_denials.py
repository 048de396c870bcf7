"""Times of denials follow the wall clock; a denial has its filters, whenever it comes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from seclatch.model.arch import Arch
from seclatch.watch.sources.filter_copies import FilterCopies
from seclatch.watch.sources.kernel_denials import KernelDenials
from seclatch.watch.sources.watch_abi import COPY, COUNT, EVENT, KEY

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


STARTED, PID, FILTER = 1, 7, 0x1000
CODE = bytes(8)
COPIED = COPY.pack(STARTED, PID, 1, FILTER, 0) + CODE
DENIED = KEY.pack(STARTED, PID, 39, 0, 1, 1, 0, bytes(24)) + EVENT.pack(
    5, 0, *[0] * 6, FILTER, *[0] * 10, b"true", b"true", b""
)


class Late:
    """A ring in which something comes while another one is read."""

    def __init__(self) -> None:
        self.waiting: list[bytes] = []
        self.other: Late | None = None

    def read(self) -> Iterator[bytes]:
        taken, self.waiting = self.waiting, []
        yield from taken
        if self.other:
            events, self.other = self.other, None
            self.waiting.append(COPIED)
            events.waiting.append(DENIED)


class Racing(Quiet):
    """A process is denied something, its filter copied, just when the copies have been read."""

    def __init__(self) -> None:
        super().__init__()
        self._filters = FilterCopies()
        self._copies, self._events = Late(), Late()  # type: ignore[assignment]
        self._copies.other = self._events  # type: ignore[attr-defined]

    take_events = KernelDenials.take_events


def test_a_denial_that_comes_meanwhile_has_its_filters() -> None:
    denials = Racing()
    found = [details for _ in range(3) for _, details in denials.take_events()]
    assert [one.layers for one in found] == [(CODE,)]
