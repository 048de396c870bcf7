"""The program ran, nothing was denied, and it ended with a status of its own."""

from __future__ import annotations

from seclatch.diagnose.causes.diagnosed_run import DiagnosedRun, FoundCause
from seclatch.diagnose.causes.symptom import find_symptom
from seclatch.diagnose.evidence.run_evidence import read_exit_code


def find_failed_program(subject: DiagnosedRun) -> FoundCause | None:
    """Its own words are all there is."""
    if not subject.chain:
        return None
    line = {each.id for each in subject.chain}
    if subject.denied or any(each.process.id in line for each in subject.denials.all):
        return None
    process = subject.chain[-1]
    program = subject.evidence.program(process.segments[-1])
    symptom = find_symptom(subject)
    words = f": {symptom.text}" if symptom and symptom.text else ""
    name = subject.evidence.stage(process.segments[-1]).value
    return FoundCause(
        False,
        "program-failed",
        f"{program} ended with status {read_exit_code(process)}{words}",
        name,
        ["no call was denied to it, nor to what it ran"],
    )
