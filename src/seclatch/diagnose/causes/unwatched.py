"""The command went on after it was watched: what it failed over was not seen."""

from __future__ import annotations

from seclatch.diagnose.causes.diagnosed_run import DiagnosedRun, FoundCause


def find_unwatched_engine(subject: DiagnosedRun) -> FoundCause | None:
    """Its own process had not ended by then (`--seconds`)."""
    processes = subject.evidence.trace.processes.values()
    first = next((each for each in processes if not each.found_running), None)
    if first is None or first.ended:
        return None
    names = ", ".join(dict.fromkeys(each.denial.syscall for each in subject.denials.all))
    return FoundCause(
        None,
        "unknown",
        f"it failed with status {subject.evidence.status} after the time for which it was watched; "
        f"until then {names or 'nothing'} was denied",
    )
