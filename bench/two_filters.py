"""Measure what a second filter costs a call that both always allow, by interleaved pairs."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from statistics import median

from bench.profiles.make import seclatch

_COUNT, _PAIRS = 20_000, 101


def report(_: int) -> None:
    """Print the ratio: docker-default and a running profile over docker-default alone."""
    with tempfile.TemporaryDirectory(prefix="sl-") as name:
        folder = Path(name)
        program = folder / "two_filters"
        subprocess.run(["cc", "-O2", "-o", program, Path(__file__).with_suffix(".c")], check=True)
        first, second = folder / "first.bpf", folder / "second.bpf"
        seclatch("profile", "compile", "docker-default", "-o", first)
        running = folder / "running.json"
        words = ("--deny", "execve", "--deny", "bind", "--deny", "listen", "--deny", "setuid")
        seclatch("profile", "derive", "docker-default", *words, "-o", running)
        seclatch("profile", "compile", running, "-o", second)
        done = subprocess.run(
            [program, first, second, str(_COUNT), str(_PAIRS)],
            capture_output=True,
            text=True,
            check=True,
        )
    pairs = [tuple(map(float, line.split())) for line in done.stdout.splitlines()]
    ratios = sorted(two / one for one, two in pairs)
    low, high = ratios[len(ratios) // 4], ratios[-len(ratios) // 4]
    print(
        f"one filter {median(one for one, _ in pairs):.1f} ns a call, two "
        f"{median(two for _, two in pairs):.1f} ns; ratio {median(ratios):.3f} "
        f"(quartiles {low:.3f} to {high:.3f}, {_PAIRS} pairs)"
    )
