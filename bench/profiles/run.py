"""Run a workload under a profile: which steps fail, hang, spin, or leave damaged data."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.profiles.container import Container
from bench.profiles.workload import Step, Workload
from seclatch.recording.files import recording_file
from tests.latch.oci import Runtime

LONGEST = 60.0
"""Seconds after which a step counts as failed: it hangs. The slowest takes about 20."""


class HangingStepError(Exception):
    """A step took longer than `LONGEST`. No OSError: waiting loops try again after these."""


@dataclass
class Outcome:
    """The result of a run. `failed` and `executed` (that need an exec) hold steps with a reason.

    `fatal`: the server did not start at all. `denied`: calls that the filter denied.
    """

    steps: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    executed: dict[str, str] = field(default_factory=dict)
    spinning: list[str] = field(default_factory=list)
    ruined: str = ""
    fatal: str = ""
    denied: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0


class Run:
    """One server in a root directory; `by_image`: recordings have calls by `record_images`."""

    def __init__(
        self,
        workload: Workload,
        root: Path,
        *,
        plain: bool = False,
        by_image: bool = False,
        started: Callable[[Container], object] = lambda _: None,
    ) -> None:
        self._workload = workload
        self._root = root
        self._runtime = Runtime("runc", latched=not plain)
        self._by_image = by_image
        self._started = started

    def train(self, recordings: Path, profile: dict[str, Any] | None) -> Outcome:
        """Record a short run: start, the training steps, stop."""
        return self._run(self._workload.training, profile, recordings, stop=True)

    def widely(self, profile: dict[str, Any] | None, recordings: Path | None = None) -> Outcome:
        """Run the wide workload."""
        return self._run(self._workload.wide, profile, recordings)

    def _run(
        self,
        steps: tuple[Step, ...],
        profile: dict[str, Any] | None,
        recordings: Path | None,
        *,
        stop: bool = False,
    ) -> Outcome:
        workload, outcome, began = self._workload, Outcome(len(steps)), time.monotonic()
        box = Container(
            self._root,
            workload.argv,
            workload.user,
            ready=workload.ready,
            stop_signal=workload.stop,
        )
        box.profile, box.runtime, box.record = profile, self._runtime, recordings
        box.started = self._started
        if self._by_image:
            box.recorder = [sys.executable, "-m", "bench.profiles.record_images"]
        try:
            workload.prepare(box)
            box.own()
            self._work(box, steps, outcome, stop=stop)
        finally:
            box.close()
        if recordings is not None:
            for each in sorted(recordings.glob("*.json")):
                for denial in recording_file.read_recording(each).denials:
                    if denial.stage == "program":
                        name = denial.name or f"#{denial.number}"
                        outcome.denied[name] = outcome.denied.get(name, 0) + denial.count
        outcome.seconds = time.monotonic() - began
        return outcome

    def _work(
        self, box: Container, steps: tuple[Step, ...], outcome: Outcome, *, stop: bool
    ) -> None:
        try:
            box.start()
        except Exception as error:
            outcome.fatal = _reason(error) + " ".join(getattr(error, "__notes__", []))[-600:]
            return
        for each in steps:
            self._try(box, each, outcome)
        if stop:
            try:
                box.stop()
            except Exception as error:
                outcome.failed["stop"] = _reason(error)
        else:
            self._check_data(box, outcome)

    def _try(self, box: Container, each: Step, outcome: Outcome) -> None:
        failures = outcome.executed if each.executes else outcome.failed
        try:
            with limit_time(LONGEST):
                if not box.alive():
                    box.kill()
                    box.start(15)
                each.action(box)
        except Exception as error:
            failures[each.name] = _reason(error)
            if not self._is_well(box):
                box.kill()
        if box.alive() and each.name in failures and box.is_spinning():
            outcome.spinning.append(each.name)

    def _is_well(self, box: Container) -> bool:
        try:
            self._workload.ready(box)
        except Exception:
            return False
        return box.alive()

    def _check_data(self, box: Container, outcome: Outcome) -> None:
        """Start once more without a profile, and check that the data is complete."""
        if box.alive() and box.is_spinning():
            outcome.spinning.append("at the end")
        box.kill()
        box.profile, box.record = None, None
        box.started = lambda _: None
        try:
            with limit_time(LONGEST):
                box.start()
                self._workload.verify(box)
        except Exception as error:
            outcome.ruined = _reason(error)


@contextmanager
def limit_time(seconds: float) -> Iterator[None]:
    """Raise HangingStepError after some seconds, whatever is waited for; in the main thread only.

    Time limits of a step's sockets do not suffice: a server that sends a byte each second, as redis
    does to a replica while its background save does not end, never lets them expire.
    """

    def give_up(_signal: int, _frame: object) -> None:
        raise HangingStepError(f"not done after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:300]
