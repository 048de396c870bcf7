"""Cause: a program exists but cannot be exec'd."""

from __future__ import annotations

from errno import EACCES, ENOEXEC, EPERM

from seclatch.diagnose.causes.diagnosed_run import DiagnosedRun, FoundCause
from seclatch.diagnose.causes.symptom import find_symptom

_EXECS = ("execve", "execveat")


def find_unexecutable_file(run: DiagnosedRun) -> FoundCause | None:
    """Find a failed exec: no permission, or no format that this machine runs."""
    symptom = find_symptom(run)
    if symptom is None:
        return None
    text = symptom.text.lower()
    about_exec = symptom.call in _EXECS or "exec" in text
    if symptom.errno == ENOEXEC or "exec format error" in text:
        reason = "it is for another architecture, or a script without its #! line"
    elif symptom.errno in (EACCES, EPERM) and about_exec:
        reason = "its mode lacks x, or its file system is mounted noexec"
    else:
        return None
    return FoundCause(
        False,
        "not-executable",
        f"the program cannot be executed: {symptom.text or symptom.path}",
        symptom.stage.value,
        [*symptom.evidence, reason],
    )
