"""Cause: the program ran, nothing was denied, and it ended with a status of its own."""

from __future__ import annotations

from seclatch.diagnose.causes.diagnosed_run import DiagnosedRun, FoundCause
from seclatch.diagnose.causes.symptom import find_symptom
from seclatch.diagnose.evidence.run_evidence import read_exit_code


def find_failed_program(run: DiagnosedRun) -> FoundCause | None:
    """Find a failed program without denials: only its messages are left."""
    if not run.chain:
        return None
    line = {process.id for process in run.chain}
    if run.chain_denials or any(case.process.id in line for case in run.denials.all):
        return None
    process = run.chain[-1]
    program = run.evidence.program(process.segments[-1])
    symptom = find_symptom(run)
    words = f": {symptom.text}" if symptom and symptom.text else ""
    name = run.evidence.stage(process.segments[-1]).value
    return FoundCause(
        False,
        "program-failed",
        f"{program} ended with status {read_exit_code(process)}{words}",
        name,
        ["no call was denied to it, nor to what it ran"],
    )
