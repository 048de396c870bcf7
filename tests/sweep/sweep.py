"""Sweep all points of one kind of start with several workers."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.sweep.starts import Kind, Outcome, Stage

Point = tuple[int, str]  # the tracer, and the point to kill it at, as kill_tracer takes it


@dataclass
class Result:
    """How the starts of one kind ended."""

    kind: Kind
    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    calls: tuple[int, ...] = ()  # of each tracer in one start

    def add(self, point: Point, outcome: Outcome) -> None:
        """Count one start."""
        self.counts[outcome.word] += 1
        if outcome.fault:
            self.faults.append(
                f"{self.kind}, tracer {point[0]} at {point[1]}: {outcome.word}: {outcome.detail}"
            )

    @property
    def points(self) -> int:
        """Count the points at which a tracer was killed."""
        return self.counts.total() - self.counts["whole"]


@dataclass
class Sweep:
    """Starts of one kind; `folder` can be reached by every user."""

    kind: Kind
    folder: Path
    root: Path
    killer: Path
    front: Path | None = None
    workers: int = os.cpu_count() or 1
    calls: tuple[int, ...] = ()

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[Stage]:
        """Make a stage for one worker."""
        made = Stage(
            self.kind, self.folder / f"{self.kind}-{name}", self.root, self.killer, self.front
        )
        with made.ready():
            yield made

    def points_from_load(self) -> list[Point]:
        """List each call from the load to the release.

        Their number differs a little between starts if the runtime has threads: at a point that is
        not reached, no tracer is killed.
        """
        count = max(report[f"points{self.kind.tracer}"] for report in self._count(f"+{10**6}"))
        return [(self.kind.tracer, f"+{n}") for n in range(count + 1)]

    def points(self) -> list[Point]:
        """List each call of each tracer, except repetitions of an earlier one."""
        reports = self._count("-")
        self.calls = tuple(max(report[f"calls{n}"] for report in reports) for n in (1, 2))
        return [
            (tracer, str(n))
            for tracer in (1, 2)
            for n in range(max(report[f"points{tracer}"] for report in reports))
        ]

    def _count(self, point: str) -> list[dict[str, int]]:
        """Return the reports of starts whose tracers are not killed."""
        with self.stage(f"counting{point[0]}") as stage:
            outcomes = [stage.kill(self.kind.tracer, point) for _ in range(2)]
        assert {each.word for each in outcomes} == {"whole"}, outcomes
        return [each.report for each in outcomes]

    def run(self, points: Sequence[Point]) -> Result:
        """Kill at all of them, with each worker on a processor of its own."""
        todo: queue.SimpleQueue[Point] = queue.SimpleQueue()
        for point in points:
            todo.put(point)
        result, lock = Result(self.kind, calls=self.calls), threading.Lock()
        errors: list[BaseException] = []

        def work(number: int) -> None:
            processors = sorted(os.sched_getaffinity(0))
            os.sched_setaffinity(0, {processors[number % len(processors)]})  # of this thread
            try:
                with self.stage(f"worker{number}") as stage, contextlib.suppress(queue.Empty):
                    while True:
                        point = todo.get_nowait()
                        outcome = stage.kill(*point)
                        with lock:
                            result.add(point, outcome)
            except BaseException as error:  # raised again below, in the caller's thread
                errors.append(error)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(self.workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]
        return result
