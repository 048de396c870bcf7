"""Cause: the engine or the runtime failed for a reason other than seccomp."""

from __future__ import annotations

from seclatch.diagnose.causes.diagnosed_run import DiagnosedRun, FoundCause
from seclatch.diagnose.causes.symptom import find_symptom


def find_engine_failure(run: DiagnosedRun) -> FoundCause | None:
    """Find a failure with nothing denied and no program run: only messages are left."""
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
