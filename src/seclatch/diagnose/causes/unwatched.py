"""Cause unknown: the command went on after the recording had ended."""

from __future__ import annotations

from seclatch.diagnose.causes.diagnosed_run import DiagnosedRun, FoundCause


def find_unwatched_engine(run: DiagnosedRun) -> FoundCause | None:
    """Find a command whose own process had not ended by then (`--seconds`)."""
    processes = run.evidence.trace.processes.values()
    first = next((process for process in processes if not process.found_running), None)
    if first is None or first.ended:
        return None
    names = ", ".join(dict.fromkeys(case.denial.syscall for case in run.denials.all))
    return FoundCause(
        None,
        "unknown",
        f"it failed with status {run.evidence.status} after the end of the recording; "
        f"until then {names or 'nothing'} was denied",
    )
