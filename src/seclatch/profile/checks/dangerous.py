"""Calls that open a way out, or have been one."""

from __future__ import annotations

from collections.abc import Iterator

from seclatch.model.profile.finding import Finding, Severity
from seclatch.profile.checks.checked_profile import CheckedProfile
from seclatch.profile.curated.call_data import load_dangerous

_LEAVE_OUT = "leave it out unless the program needs it"

CALLS = {row.call: row.reason for row in load_dangerous().values() if row.check}
"""Why each call matters, by its name."""


def check_dangerous_calls(subject: CheckedProfile) -> Iterator[Finding]:
    """Find dangerous calls that are allowed for some or all arguments."""
    for name, why in CALLS.items():
        if not subject.meaning.may_execute(name):
            continue
        whole = subject.meaning.always_executes(name)
        yield Finding(
            "dangerous-syscall",
            Severity.WARNING if whole else Severity.NOTE,
            f"{name} is allowed{'' if whole else ' for some arguments'}: {why}",
            _LEAVE_OUT,
            subject.place_of(name),
        )
