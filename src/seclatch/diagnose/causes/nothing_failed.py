"""Nothing to explain: every exit status is 0."""

from __future__ import annotations

from seclatch.diagnose.causes.diagnosed_run import DiagnosedRun, FoundCause
from seclatch.diagnose.evidence.unseen_engine import find_client_of_unseen


def find_no_failure(run: DiagnosedRun) -> FoundCause | None:
    """Find that the command ended with 0, and so did the sessions that it started."""
    if run.anything_failed:
        return None
    denied = len(run.denials.all)
    summary = "the command ended with status 0"
    if denied:
        calls = "call was" if denied == 1 else "calls were"
        summary += f", though {denied} {calls} denied"
    unseen = find_client_of_unseen(run.evidence)
    facts = ["the engine that it asked could not be recorded from here"] if unseen else []
    return FoundCause(False, "none", summary, evidence=facts)
