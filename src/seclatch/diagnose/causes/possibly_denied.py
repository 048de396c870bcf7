"""The program failed and was denied calls, but nothing ties one to the other."""

from __future__ import annotations

from seclatch.diagnose.causes.diagnosed_run import DiagnosedRun, FoundCause
from seclatch.diagnose.evidence.run_evidence import read_exit_code
from seclatch.model.stage import Stage


def find_possible_denial(subject: DiagnosedRun) -> FoundCause | None:
    """Denials in processes that failed, which they, or those that they come from, got over."""
    cases = subject.denied
    if not cases:
        return None
    names = ", ".join(dict.fromkeys(each.denial.syscall for each in cases))
    program = subject.evidence.program(subject.chain[0].segments[-1])
    own = {each.process.id for each in cases} & {each.id for each in subject.chain}
    who = "it" if own else "what it ran"
    return FoundCause(
        None,
        "possibly-denied",
        f"{program} ended with status {read_exit_code(subject.chain[0])}; {who} had been denied "
        f"{names} before that",
        Stage.PROGRAM.value,
        [
            "whether a denied call was the reason cannot be told from its calls: allow it, or "
            "run it without a profile, and see whether it ends well"
        ],
        cases[-1],
    )
