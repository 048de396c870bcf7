"""Whether a difference of two profiles lets more be done."""

from __future__ import annotations

from collections.abc import Sequence

from seclatch.profile.meaning.diff_profiles import CallChange, CallEffect, ProfileDifference

POSSIBLY_WIDER = frozenset({CallEffect.ALLOWED, CallEffect.MIXED, CallEffect.UNDECIDED})
"""An undecided change may be one."""

_DECIDED_ELSEWHERE = ("SCMP_ACT_NOTIFY", "SCMP_ACT_TRACE")
"""An agent or a tracer may let the call be made (seccomp_unotify(2), ptrace(2))."""

_PRETENDED = "SCMP_ACT_ERRNO(0)"
"""The call returns 0 and was not made: a program that drops privileges so goes on with them."""


def is_wider(found: ProfileDifference, uncompared: Sequence[str] = ()) -> bool:
    """Tell whether the second profile allows something that the first does not, or may."""
    return bool(found.opened or uncompared) or any(map(is_wider_change, found.changes))


def is_wider_change(change: CallChange) -> bool:
    """Tell whether a change lets a call be made or seem to be, or leaves it to an agent."""
    return change.effect in POSSIBLY_WIDER or any(
        clause.startswith(_DECIDED_ELSEWHERE)
        or (clause.startswith(_PRETENDED) and clause not in change.before)
        for clause in change.after
    )
