"""Rules that do nothing, and rules that keep a container from starting."""

from __future__ import annotations

from collections.abc import Iterator

from seclatch.model.profile.finding import Finding, Severity
from seclatch.model.quoted_text import shorten_text
from seclatch.profile.checks.checked_profile import CheckedProfile
from seclatch.profile.meaning.clause import is_fragile, list_overlaps
from seclatch.profile.meaning.rule_meaning import IdleReason, IdleRule

_HOW = {
    IdleReason.REPEATED: ("repeated-rule", Severity.NOTE, "remove one of them"),
    IdleReason.OVERRULED: ("overruled-rule", Severity.WARNING, "remove the one that is not meant"),
    IdleReason.REPLACED: ("overruled-rule", Severity.WARNING, "remove the one that is not meant"),
    IdleReason.CONFLICT: (
        "conflicting-rules",
        Severity.ERROR,
        "keep one: no container starts with both",
    ),
    IdleReason.DEFAULT: ("redundant-rule", Severity.NOTE, "remove it"),
}


def check_rules_without_effect(subject: CheckedProfile) -> Iterator[Finding]:
    """Find rules that libseccomp merges away or contradicts; see `meaning`."""
    for idle in subject.meaning.idle:
        yield _idle(subject, idle)
    for name, clauses in subject.meaning.calls.items():
        for left, right in list_overlaps(clauses):
            yield Finding(
                "ambiguous-rules",
                Severity.WARNING,
                f"{shorten_text(name)}: both {left} and {right} can match one call; "
                "libseccomp picks one",
                "make the conditions exclude each other, or the actions equal",
                subject.path(right.rule, name),
            )
        if is_fragile(clauses):
            yield Finding(
                "libseccomp-merge",
                Severity.WARNING,
                f"{shorten_text(name)}: libseccomp can compile two such comparisons of one "
                "argument wrongly, before 2.6.1 more often (GHSA-4q85-33p6-j5g6)",
                "compare by equality; or see whether the hosts' libseccomp does (`miscompiled`)",
                subject.path(clauses[0].rule, name),
            )


def _idle(subject: CheckedProfile, idle: IdleRule) -> Finding:
    code, severity, remedy = _HOW[idle.fate]
    other = f" (syscalls[{subject.kept[idle.by]}])" if idle.by >= 0 else ""
    message = f"this rule does nothing for {shorten_text(idle.name)}: {idle.fate.value}{other}"
    return Finding(code, severity, message, remedy, subject.path(idle.rule, idle.name))
