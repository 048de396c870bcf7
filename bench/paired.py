"""Interleaved timing: machines are noisy, so only ratios within one run are meaningful."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Command = Callable[[int], Sequence[str]]

CONTAINER = f"seclatch-bench-{os.getpid()}"
"""What names of containers begin with: a runtime knows one of a name, whoever runs benchmarks."""


@dataclass(frozen=True)
class Pair:
    """Wall seconds of the same work done in two ways, run after run."""

    name: str
    base: list[float]
    other: list[float]

    @property
    def ratio(self) -> float:
        """Return the median of the ratios pair by pair: a slow second affects both of a pair."""
        return statistics.median(b / a for a, b in zip(self.base, self.other, strict=True))

    @property
    def spread(self) -> tuple[float, float]:
        """Return the lower and upper quartile of the ratios."""
        ratios = sorted(b / a for a, b in zip(self.base, self.other, strict=True))
        quarter = len(ratios) // 4
        return ratios[quarter], ratios[-1 - quarter]

    def row(self) -> str:
        low, high = self.spread
        base, other = statistics.median(self.base), statistics.median(self.other)
        return (
            f"{self.name:<28} {base * 1e3:9.2f} ms {other * 1e3:9.2f} ms"
            f"   {self.ratio:6.3f}  ({low:.3f} - {high:.3f}, n={len(self.base)})"
        )


def wall(command: Sequence[str]) -> float:
    """Return whole-process wall time; raise when the run fails."""
    began = time.perf_counter()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    took = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: status {done.returncode}: {done.stderr!r}")
    return took


def compare(name: str, base: Command, other: Command, runs: int) -> Pair:
    """Run both in turn; which goes first changes, so that neither always finds warm caches."""
    times: tuple[list[float], list[float]] = ([], [])
    for n in range(-2, runs):
        order = (0, 1) if n % 2 else (1, 0)
        for which in order:
            took = wall((base, other)[which](2 * (n + 2) + which))
            if n >= 0:
                times[which].append(took)
    return Pair(name, *times)


HEADER = f"{'':<28} {'plain':>12} {'latched':>12}   {'ratio':>6}  (quartiles)"
