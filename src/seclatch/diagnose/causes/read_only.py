"""Cause: a write to a file system that is mounted read-only."""

from __future__ import annotations

from errno import EROFS

from seclatch.diagnose.causes.diagnosed_run import DiagnosedRun, FoundCause
from seclatch.diagnose.causes.symptom import find_symptom


def find_read_only_file_system(run: DiagnosedRun) -> FoundCause | None:
    """Find EROFS, which has no other meaning."""
    symptom = find_symptom(run)
    if symptom is None or symptom.errno != EROFS:
        return None
    return FoundCause(
        False,
        "read-only",
        f"a read-only file system: {symptom.text or symptom.path}",
        symptom.stage.value,
        [*symptom.evidence, "mount a volume there, or start without --read-only"],
    )
