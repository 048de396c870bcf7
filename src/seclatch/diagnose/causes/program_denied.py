"""Cause: the image's program was denied a call and ended because of it."""

from __future__ import annotations

from itertools import takewhile

from seclatch.diagnose.causes.diagnosed_run import DiagnosedRun, FoundCause
from seclatch.diagnose.causes.symptom import explains_failure
from seclatch.diagnose.denials.last_calls import gives_up
from seclatch.diagnose.denials.list_denials import DenialCase
from seclatch.diagnose.denials.stderr_writes import BUFFERED, count_other_writes
from seclatch.diagnose.evidence.run_evidence import RunEvidence, read_end_signal, read_exit_code
from seclatch.diagnose.evidence.sentences import describe_denial
from seclatch.model.stage import Stage
from seclatch.recording.backends.bpf.detail_events import FLIGHT

# Calls of a C library at its start, and later only in new threads and forked children.
_AT_START = {"arch_prctl", "set_tid_address", "set_robust_list", "rseq"}
_LATER = {"write", "writev", "clone", "clone3", "fork", "vfork"}


def find_denied_program(run: DiagnosedRun) -> FoundCause | None:
    """Find a denial in the processes whose failure became the command's.

    A fatal one, or one whose error the program reported in its last message (decision 0030).
    """
    line = {process.id for process in run.certain_chain}
    cases = [case for case in run.denials.all if case.process.id in line]
    cases = [case for case in cases if case.stage is Stage.PROGRAM]
    fatal = [case for case in cases if case.denial.fatal]
    reported = [case for case in reversed(cases) if _was_reported(case, run)]
    for case in (*fatal, *reported):
        return _make_cause(case, run)
    return None


def _was_reported(case: DenialCase, run: DiagnosedRun) -> bool:
    """Return whether the last message is about the denial's errno, which no other call gave."""
    own = run.evidence.list_own_segments(case.process)
    messages = [
        message
        for message in run.program_messages
        if message.segment in own and message.time > case.seen.time
    ]
    others = [
        failure
        for failure in run.evidence.failures
        if failure.segment in own and failure.errno == case.seen.errno
    ]
    if not messages or others or not explains_failure(case.denial, messages[-1].text):
        return False
    return _ended_after(case, messages[-1].time, run.evidence)


def _ended_after(case: DenialCase, time: int, evidence: RunEvidence) -> bool:
    """Return whether the process only cleaned up after its last message."""
    after = [call for call in evidence.list_last_calls(case.process) if call.time > time]
    ending = all(gives_up(call, evidence.find_syscall(call).name, True) for call in after)
    return ending and count_other_writes(evidence, case.process, time) <= BUFFERED


def _make_cause(case: DenialCase, run: DiagnosedRun) -> FoundCause:
    evidence = run.evidence
    program = case.denial.program
    facts = [_describe_end(case)]
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
