"""What no cause above explains."""

from __future__ import annotations

from seclatch.diagnose.causes.diagnosed_run import DiagnosedRun, FoundCause


def find_unknown_cause(run: DiagnosedRun) -> FoundCause | None:
    """Say so; where nothing was denied seccomp is out all the same."""
    status = run.evidence.status
    if run.denials.all:
        names = ", ".join(dict.fromkeys(case.denial.syscall for case in run.denials.all))
        return FoundCause(
            None,
            "unknown",
            f"it failed with status {status}; {names} was denied, and whether that was the reason "
            "cannot be told",
        )
    return FoundCause(
        False, "unknown", f"it failed with status {status}, and seccomp denied nothing"
    )
