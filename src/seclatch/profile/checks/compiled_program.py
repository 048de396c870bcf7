"""Whether libseccomp makes of the rules what they say: compile them, and run the program."""

from __future__ import annotations

from collections.abc import Iterator

from seclatch.errors import SeclatchError
from seclatch.filter.classic_bpf.verify import find_refusal
from seclatch.model.filter import Filter
from seclatch.model.profile.finding import Finding, Severity
from seclatch.profile.checks.checked_profile import CheckedProfile
from seclatch.profile.compile.compile_profile import compile_profile
from seclatch.profile.compile.runtime_limits import Runtime, refuse_profile
from seclatch.profile.meaning.libseccomp_deviation import find_deviations
from seclatch.profile.meaning.rule_meaning import IdleReason
from seclatch.system import libseccomp

_REMEDY = (
    "compare by equality, in fewer rules, or on fewer ABIs; libseccomp 2.6.1 compiles some of "
    "these rightly (GHSA-4q85-33p6-j5g6)"
)


def check_compiled_program(subject: CheckedProfile) -> Iterator[Finding]:
    """On each ABI, every call with conditions, for all arguments.

    Says nothing where libseccomp is not installed or takes the rules for conflicting, and
    nothing of overlapping conditions, whose order is libseccomp's to choose.
    """
    arch = subject.host.arch
    yield from _refusals(subject)
    try:
        libseccomp.read_version()
    except SeclatchError:
        return
    try:
        program = compile_profile(subject.resolved, runtime=Runtime.LIBSECCOMP, native=arch)
    except SeclatchError as error:
        if not _is_known_conflict(subject):
            yield _uncompilable("any runtime", Severity.ERROR, error)
        return
    code = Filter.from_bytes(program.code, "little" if arch.little else "big")
    refused = find_refusal(code)
    if refused:
        yield _unloadable(str(refused))
    else:
        yield from _miscompiled(subject, code, program.libseccomp)


def _miscompiled(subject: CheckedProfile, code: Filter, version: str) -> Iterator[Finding]:
    native = subject.host.arch
    told: set[str] = set()
    for call, args, said, made in find_deviations(subject.resolved, native, code):
        if call.name not in told:
            told.add(call.name)
            where = "" if call.arch is native else f" on {call.arch.title}"
            yield Finding(
                "miscompiled",
                Severity.ERROR,
                f"{call}({', '.join(map(hex, args))}){where}: the rules say {said}, but libseccomp "
                f"{version} compiles them to {made}",
                _REMEDY,
                subject.place_of(call.name),
            )


def _is_known_conflict(subject: CheckedProfile) -> bool:
    """Whether `conflicting-rules` says it already."""
    return any(idle.fate is IdleReason.CONFLICT for idle in subject.meaning.idle)


def _refusals(subject: CheckedProfile) -> Iterator[Finding]:
    """Find what one runtime refuses before it compiles, and the other accepts."""
    for runtime in (Runtime.RUNC, Runtime.CRUN):
        try:
            refuse_profile(subject.resolved, runtime)
        except SeclatchError as error:
            yield _uncompilable(runtime.value, Severity.WARNING, error)


def _unloadable(reason: str) -> Finding:
    return Finding(
        "does-not-compile",
        Severity.ERROR,
        f"no container starts with it under any runtime: {reason}",
        "name fewer ABIs, or compare fewer arguments",
        ("syscalls",),
    )


def _uncompilable(who: str, severity: Severity, error: SeclatchError) -> Finding:
    return Finding(
        "does-not-compile",
        severity,
        f"no container starts with it under {who}: {error}",
        error.remedy or "change the rule that is named",
        ("syscalls",),
    )
