"""Cause: a file or program does not exist."""

from __future__ import annotations

from errno import ENOENT, ENOTDIR

from seclatch.diagnose.causes.diagnosed_run import DiagnosedRun, FoundCause
from seclatch.diagnose.causes.symptom import find_symptom

_WORDS = ("executable file not found", "command not found", "no such file", ": not found")


def find_missing_file(run: DiagnosedRun) -> FoundCause | None:
    """Find ENOENT, or a message that means it."""
    symptom = find_symptom(run)
    if symptom is None:
        return None
    text = symptom.text.lower()
    if symptom.errno not in (ENOENT, ENOTDIR) and not any(word in text for word in _WORDS):
        return None
    return FoundCause(
        False,
        "missing-file",
        f"a file is missing: {symptom.text or symptom.path}",
        symptom.stage.value,
        symptom.evidence,
    )
