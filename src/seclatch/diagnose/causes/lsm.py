"""Cause: AppArmor, SELinux or another security module denied access."""

from __future__ import annotations

import re

from seclatch.diagnose.causes.diagnosed_run import DiagnosedRun, FoundCause
from seclatch.diagnose.causes.symptom import find_symptom

_WORDS = re.compile(r"apparmor|selinux|smack|\blsm\b|landlock", re.IGNORECASE)
_ATTRIBUTES = re.compile(r"/proc/[^/]+/(task/[^/]+/)?attr/")


def find_lsm_denial(run: DiagnosedRun) -> FoundCause | None:
    """Find a message about a security module, or a label that could not be set."""
    symptom = find_symptom(run)
    if symptom is None:
        return None
    if not _WORDS.search(symptom.text) and not _ATTRIBUTES.match(symptom.path):
        return None
    return FoundCause(
        False,
        "lsm",
        f"a security module (AppArmor, SELinux): {symptom.text or symptom.path}",
        symptom.stage.value,
        symptom.evidence,
    )
