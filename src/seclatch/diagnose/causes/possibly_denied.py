"""Cause unknown: the program failed and was denied calls, but no evidence links the two."""

from __future__ import annotations

from seclatch.diagnose.causes.diagnosed_run import DiagnosedRun, FoundCause
from seclatch.diagnose.evidence.run_evidence import read_exit_code
from seclatch.model.stage import Stage


def find_possible_denial(run: DiagnosedRun) -> FoundCause | None:
    """Find denials in failed processes, after which they or their ancestors went on."""
    cases, verdict = run.chain_denials, run.verdict
    if verdict is None or verdict.seccomp is not None:
        return None
    case = verdict.case or cases[-1]
    names = ", ".join(dict.fromkeys(each.denial.syscall for each in cases or [case]))
    program = run.evidence.program(run.chain[0].segments[-1])
    own = {each.process.id for each in cases or [case]} & {process.id for process in run.chain}
    denied = "it" if own else "a process that it started"
    return FoundCause(
        None,
        "possibly-denied",
        f"{program} ended with status {read_exit_code(run.chain[0])}; {denied} had been denied "
        f"{names} before that",
        Stage.PROGRAM.value,
        ["whether a denied call was the reason cannot be determined from the calls of one run"],
        case,
    )
