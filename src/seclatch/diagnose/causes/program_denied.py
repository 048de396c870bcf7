"""Cause: the image's program was denied a call and ended because of it."""

from __future__ import annotations

from itertools import takewhile

from seclatch.diagnose.causes.diagnosed_run import DiagnosedRun, FoundCause
from seclatch.diagnose.denials.list_denials import DenialCase
from seclatch.diagnose.evidence.run_evidence import RunEvidence, read_end_signal, read_exit_code
from seclatch.diagnose.evidence.sentences import describe_denial
from seclatch.diagnose.failure.judged_failure import FailureVerdict
from seclatch.model.stage import Stage
from seclatch.recording.backends.bpf.detail_events import FLIGHT

# Calls of a C library at its start, and later only in new threads and forked children.
_AT_START = {"arch_prctl", "set_tid_address", "set_robust_list", "rseq"}
_LATER = {"write", "writev", "clone", "clone3", "fork", "vfork"}


def find_denied_program(run: DiagnosedRun) -> FoundCause | None:
    """Find the denial by which a process, and through it the command, failed."""
    verdict = run.verdict
    if verdict is None or not verdict.seccomp or verdict.case is None:
        return None
    return _make_cause(verdict.case, run, verdict)


def _make_cause(case: DenialCase, run: DiagnosedRun, verdict: FailureVerdict) -> FoundCause:
    evidence = run.evidence
    program = case.denial.program
    facts = [*verdict.facts, *([] if verdict.failed else [_describe_end(case)])]
    if len(run.chain) > 1:
        first = evidence.program(run.chain[0].segments[-1])
        status = read_exit_code(run.chain[0])
        facts.append(f"so {first}, from which it comes, ended with status {status}")
    if loading := _describe_loader(case, evidence):
        facts.append(loading)
    return FoundCause(
        True,
        "program-denied",
        f"the program was stopped: {program} was denied {describe_denial(case.denial)}",
        Stage.PROGRAM.value,
        facts,
        case,
    )


def _describe_end(case: DenialCase) -> str:
    status = read_exit_code(case.process)
    if case.denial.signal and read_end_signal(case.process) is not None:
        return f"{case.denial.program} was ended by SIGSYS at that call"
    if case.denial.signal:
        return (
            f"a thread of {case.denial.program} was ended by SIGSYS at that call; the others went "
            f"on without it, to status {status}"
        )
    return f"after it {case.denial.program} gave up and ended with status {status}"


def _describe_loader(case: DenialCase, evidence: RunEvidence) -> str:
    """Return a fact if the denial came before main(), while the C library started.

    All calls of the program must be known, and a call that libraries make only at their start must
    be this one or come after it.
    """
    calls, image = evidence.list_last_calls(case.process), evidence.image(case.seen.segment)
    if image.process != case.process.id or len(calls) >= FLIGHT:
        return ""
    alone = takewhile(lambda call: evidence.find_syscall(call).name not in _LATER, calls)
    starting = [call.time for call in alone if evidence.find_syscall(call).name in _AT_START]
    if starting and case.seen.time <= starting[-1]:
        return "that was while the C library started, before main()"
    return ""
