"""Whether libseccomp makes of the rules what they say: compile them, and run the program."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from seclatch.errors import SeclatchError
from seclatch.filter.simulate import simulate
from seclatch.model.call import Call
from seclatch.model.filter import Filter
from seclatch.model.finding import Finding, Severity
from seclatch.model.syscall import Syscall, table
from seclatch.profile.checks.subject import Subject
from seclatch.profile.compile import Runtime, compile_profile, refuse
from seclatch.profile.meaning import Fate, overlaps, points
from seclatch.system import libseccomp

MAX_POINTS = 64
"""Argument combinations tried for one call."""

MAX_RUNS = 2000
"""Runs of the program at most, each of which takes up to a millisecond."""


def check(subject: Subject) -> Iterator[Finding]:
    """On the host's own ABI, every call with conditions, at the edges of those.

    Says nothing where libseccomp is not installed or takes the rules for conflicting, and
    nothing of overlapping conditions, whose order is libseccomp's to choose.
    """
    arch = subject.host.arch
    yield from _refusals(subject)
    try:
        libseccomp.version()
    except SeclatchError:
        return
    try:
        program = compile_profile(subject.resolved, runtime=Runtime.LIBSECCOMP, native=arch)
    except SeclatchError as error:
        if not _is_known_conflict(subject):
            yield _uncompilable("any runtime", Severity.ERROR, error)
        return
    if arch.bits == 32:
        return
    code = Filter.from_bytes(program.code, "little" if arch.little else "big")
    told: set[str] = set()
    for call, values in itertools.islice(_calls(subject), MAX_RUNS):
        if call.name in told:
            continue
        said = subject.meaning.verdict(call.name, values)
        made = simulate(code, Call(arch.audit, call.number, values)).action
        if made != said:
            told.add(call.name)
            yield Finding(
                "miscompiled",
                Severity.ERROR,
                f"{call}({', '.join(map(hex, values))}): the rules say {said}, but libseccomp "
                f"{program.libseccomp} compiles them to {made}",
                "use libseccomp 2.6.1 or later (GHSA-4q85-33p6-j5g6), or compare by equality",
                subject.place_of(call.name),
            )


def _calls(subject: Subject) -> Iterator[tuple[Syscall, tuple[int, ...]]]:
    """Calls whose arguments are compared, with arguments at the edges."""
    known = table(subject.host.arch)
    for name, clauses in subject.meaning.calls.items():
        call = known.get(name)
        if call and clauses[0].args and not next(overlaps(clauses), None):
            for values in itertools.islice(points(clauses), MAX_POINTS):
                yield call, values


def _is_known_conflict(subject: Subject) -> bool:
    """Whether `conflicting-rules` says it already."""
    return any(idle.fate is Fate.CONFLICT for idle in subject.meaning.idle)


def _refusals(subject: Subject) -> Iterator[Finding]:
    """What one runtime refuses before it compiles, and the other takes."""
    for runtime in (Runtime.RUNC, Runtime.CRUN):
        try:
            refuse(subject.resolved, runtime)
        except SeclatchError as error:
            yield _uncompilable(runtime.value, Severity.WARNING, error)


def _uncompilable(who: str, severity: Severity, error: SeclatchError) -> Finding:
    return Finding(
        "does-not-compile",
        severity,
        f"no container starts with it under {who}: {error}",
        error.remedy or "change the rule that is named",
        ("syscalls",),
    )
