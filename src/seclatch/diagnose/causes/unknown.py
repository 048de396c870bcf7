"""Cause unknown: no other cause applies."""

from __future__ import annotations

from seclatch.diagnose.causes.diagnosed_run import DiagnosedRun, FoundCause


def find_unknown_cause(run: DiagnosedRun) -> FoundCause | None:
    """Report an unknown cause; seccomp is excluded if nothing was denied."""
    status = run.evidence.status
    if run.denials.all:
        names = ", ".join(dict.fromkeys(case.denial.syscall for case in run.denials.all))
        return FoundCause(
            None,
            "unknown",
            f"it failed with status {status}; {names} was denied, and whether that was the reason "
            "cannot be determined",
        )
    return FoundCause(
        False, "unknown", f"it failed with status {status}, and seccomp denied nothing"
    )
