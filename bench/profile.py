"""Measure reading, resolving, comparing, compiling and checking a big profile, in CPU time."""

from __future__ import annotations

import resource
import statistics
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from seclatch.model.arch import Arch
from seclatch.profile.check_profile import check_profile
from seclatch.profile.compile.compile_profile import Runtime, compile_profile
from seclatch.profile.compile.resolve_profile import Host, narrow_profile
from seclatch.profile.meaning.compared_side import make_side
from seclatch.profile.meaning.diff_profiles import diff_sides
from seclatch.profile.parse.load_profile import parse_document
from seclatch.profile.parse.profile_source import read_source

PROFILE = Path("/usr/share/containers/seccomp.json")
"""containers-common's default, which is the bigger of the engines' two."""


def report(runs: int) -> None:
    host = Host(Arch.native(), kernel=(6, 12))
    text = read_source(PROFILE).text()
    document = parse_document(text, str(PROFILE))
    resolved = narrow_profile(document.profile, host)
    fewer = replace(resolved, rules=resolved.rules[:-3])
    steps: dict[str, Callable[[], object]] = {
        "read": lambda: parse_document(text, str(PROFILE)),
        "resolve": lambda: narrow_profile(document.profile, host),
        "diff": lambda: diff_sides(
            *(make_side(each, host.arch, Runtime.RUNC) for each in (resolved, fewer))
        ),
        "compile": lambda: compile_profile(resolved, runtime=Runtime.RUNC),
        "check": lambda: check_profile(document, host),
    }
    for name, step in steps.items():
        print(f"{name:8} {median(step, runs):6.1f} ms")


def median(step: Callable[[], object], runs: int) -> float:
    """Return milliseconds of CPU time, without the first run, which loads tables.

    Including children: libseccomp runs in one to limit its time and memory.
    """
    step()
    times = []
    for _ in range(runs):
        start = spent()
        step()
        times.append(1000 * (spent() - start))
    return statistics.median(times)


def spent() -> float:
    """Return CPU seconds of this process and of the children that it has waited for."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
