"""How long it takes to read, resolve, compile and check a big profile (CPU time, medians)."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

from seclatch.model.arch import Arch
from seclatch.profile.check import check
from seclatch.profile.compile import Runtime, compile_profile
from seclatch.profile.load import parse_document, read
from seclatch.profile.resolve import Host, narrow

PROFILE = Path("/usr/share/containers/seccomp.json")
"""containers-common's default, which is the bigger of the engines' two."""


def report(runs: int) -> None:
    host = Host(Arch.native(), kernel=(6, 12))
    text = read(PROFILE)
    document = parse_document(text, str(PROFILE))
    resolved = narrow(document.profile, host)
    steps: dict[str, Callable[[], object]] = {
        "read": lambda: parse_document(text, str(PROFILE)),
        "resolve": lambda: narrow(document.profile, host),
        "compile": lambda: compile_profile(resolved, runtime=Runtime.RUNC),
        "check": lambda: check(document, host),
    }
    for name, step in steps.items():
        print(f"{name:8} {median(step, runs):6.1f} ms")


def median(step: Callable[[], object], runs: int) -> float:
    """Milliseconds of CPU time, the first run (which loads tables) left out."""
    step()
    times = []
    for _ in range(runs):
        start = time.process_time()
        step()
        times.append(1000 * (time.process_time() - start))
    return statistics.median(times)
