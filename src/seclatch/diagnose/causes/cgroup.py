"""Cause: a control group could not be made, joined or limited."""

from __future__ import annotations

from seclatch.diagnose.causes.diagnosed_run import DiagnosedRun, FoundCause
from seclatch.diagnose.causes.symptom import find_symptom
from seclatch.model.stage import Stage


def find_cgroup_error(run: DiagnosedRun) -> FoundCause | None:
    """Find a message about cgroups, or a failed call below /sys/fs/cgroup, before the exec."""
    symptom = find_symptom(run)
    if symptom is None or symptom.stage is Stage.PROGRAM:
        return None
    if "cgroup" not in symptom.path and "cgroup" not in symptom.text.lower():
        return None
    return FoundCause(
        False,
        "cgroup",
        f"a control group: {symptom.text or symptom.path}",
        symptom.stage.value,
        symptom.evidence,
    )
