"""The engine or the runtime gave up for a reason of its own."""

from __future__ import annotations

from seclatch.diagnose.causes.diagnosed_run import DiagnosedRun, FoundCause
from seclatch.diagnose.causes.symptom import find_symptom


def find_engine_failure(run: DiagnosedRun) -> FoundCause | None:
    """Nothing was denied and no program ran: its own words are all there is."""
    if run.chain or run.denials.all:
        return None
    symptom = find_symptom(run)
    if symptom is None:
        return None
    return FoundCause(
        False,
        "engine-failed",
        f"{symptom.program} failed: {symptom.text or symptom.path}",
        symptom.stage.value,
        ["no call was denied", *symptom.evidence],
    )
