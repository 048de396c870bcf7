"""Clients that make requests to a server, counted by phase; those that fail are kept."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.latch.oci import wait_until
from tests.tighten.traffic_programs import TrafficProgram

BEFORE, DURING, AFTER = "before", "during", "after"
NEWCOMERS = 2
"""Clients that open a connection for each request; one more keeps its own open."""


@dataclass(frozen=True)
class FailedRequest:
    """A request that failed: what it was, when, and why."""

    request: str
    phase: str
    error: str


class Traffic:
    """Clients that make requests until the end; each request is counted by phase."""

    def __init__(self, program: TrafficProgram, folder: Path) -> None:
        self.phase = BEFORE
        self.counts: Counter[tuple[str, str]] = Counter()
        self.failed: list[FailedRequest] = []
        self._program, self._folder = program, folder
        self._over = threading.Event()
        self._connected = threading.Event()
        self._lock = threading.Lock()

    def __enter__(self) -> Traffic:
        works = [self._stay, *[self._come_and_go] * NEWCOMERS]
        self._threads = [threading.Thread(target=work) for work in works]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def wait_for_work(self, rounds: int = 1) -> None:
        """Wait until in this phase each newcomers' request was made so often, or one failed."""
        enough = rounds * len(self._program.requests)

        def is_enough() -> bool:
            return self.failed != [] or all(
                self.counts[self.phase, kind] >= enough for kind in ("new", "kept")
            )

        wait_until(is_enough, f"requests {self.phase} the tightening", seconds=180)

    def _come_and_go(self) -> None:
        for request in itertools.cycle(self._program.requests):
            if self._over.is_set():
                return
            self._make("new", _name_of(request), lambda each=request: each(self._folder))

    def _stay(self) -> None:
        name = _name_of(self._program.connected)
        while not self._over.is_set():
            try:
                with self._program.connected(self._folder) as ask_again:
                    while not self._over.is_set():
                        ask_again()
                        self._count("kept")
            except Exception as error:
                self._fail(name, error)

    def _make(self, kind: str, name: str, act: Any) -> None:
        phase = self.phase
        try:
            act()
        except Exception as error:
            self._fail(name, error)
        if self.phase == phase:  # neither begun before the phase nor ended after it
            self._count(kind)

    def _count(self, kind: str) -> None:
        with self._lock:
            self.counts[self.phase, kind] += 1

    def _fail(self, name: str, error: Exception) -> None:
        with self._lock:
            text = f"{type(error).__name__}: {error}"[:300]
            self.failed.append(FailedRequest(name, self.phase, text))


def _name_of(request: Any) -> str:
    """Name a request for a message."""
    function = getattr(request, "func", request)
    words = getattr(request, "keywords", {})
    return " ".join(
        [function.__name__, *(str(words[each]) for each in ("path", "texts") if each in words)]
    )
