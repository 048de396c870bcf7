"""Cause: the program ran, and ended with a status of its own; no denial was the reason."""

from __future__ import annotations

from seclatch.diagnose.causes.diagnosed_run import DiagnosedRun, FoundCause
from seclatch.diagnose.causes.symptom import find_symptom
from seclatch.diagnose.evidence.run_evidence import read_exit_code


def find_failed_program(run: DiagnosedRun) -> FoundCause | None:
    """Find a failed program of which only its messages are left to tell the reason."""
    if not run.chain:
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
        run.verdict.facts if run.verdict else [_describe_denials(run)],
    )


def _describe_denials(run: DiagnosedRun) -> str:
    line = {process.id for process in run.chain}
    for case in run.denials.all:
        if case.denial.instead and case.process.id in line:
            done = (
                "did without" if case.denial.instead == "nothing" else f"made {case.denial.instead}"
            )
            return f"it was denied {case.denial.syscall} and {done} instead".replace(
                "did without instead", "did without"
            )
    return "no call was denied to it, nor to what it ran"
