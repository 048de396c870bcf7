"""Build the explanation from the evidence.

Modules that only some causes need are imported when needed: most commands do not fail because of
seccomp, and their explanation should not wait for these imports.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec

from seclatch.diagnose.causes.diagnosed_run import DiagnosedRun, FoundCause
from seclatch.diagnose.causes.registry import find_cause
from seclatch.diagnose.denials.list_denials import DenialCase, RunDenials
from seclatch.diagnose.evidence.command_line import name_profile
from seclatch.diagnose.evidence.run_evidence import RunEvidence
from seclatch.diagnose.evidence.sentences import sounds_like_error, strip_prefixes
from seclatch.model.explanation import (
    ExplainedDenial,
    Explanation,
    NeededCall,
    Remedy,
    RuntimeNeeds,
    StartMessage,
)
from seclatch.version import __version__

_MAX_DENIALS, _MAX_MESSAGES = 1000, 3


def build_explanation(evidence: RunEvidence) -> Explanation:
    """Find the cause, all denials, and the remedies."""
    denials = RunDenials(evidence, name_profile(evidence.command))
    run = DiagnosedRun(evidence, denials)
    found = find_cause(run)
    needs = _find_needs(found, run)
    lost = evidence.trace.lost
    return Explanation(
        seccomp=found.seccomp,
        cause=found.cause,
        summary=found.summary,
        stage=found.stage,
        evidence=found.evidence,
        command=list(evidence.command),
        status=evidence.status,
        denials=[_mark_fatal(case, found) for case in denials.all[:_MAX_DENIALS]],
        needs=needs,
        messages=_choose_messages(run) if run.anything_failed else [],
        remedies=_find_remedies(found, needs, run),
        incomplete=evidence.sights.lost + lost.events + lost.processes + evidence.missed,
        seclatch=__version__,
    )


def _mark_fatal(case: DenialCase, found: FoundCause) -> ExplainedDenial:
    """Return the denial for display; the one that the cause is about is marked as fatal."""
    if found.seccomp and case is found.case:
        return msgspec.structs.replace(case.denial, fatal=True)
    return case.denial


def _find_needs(found: FoundCause, run: DiagnosedRun) -> RuntimeNeeds | None:
    case = found.case
    if found.cause != "runtime-denied" or case is None or case.session is None:
        return None
    from seclatch.diagnose.remedies.denied_runtime_calls import find_runtime_needs
    from seclatch.diagnose.remedies.exposure import describe_exposure

    evaluator = run.denials.find_evaluator(case.session)
    container = run.evidence.container(case.session)
    if evaluator is None or container is None:
        met = {
            denied.denial.syscall
            for denied in run.denials.all
            if denied.session == case.session and denied.stage is case.stage
        }
        calls = [
            NeededCall(syscall=call, opens=describe_exposure(call), sometimes=False)
            for call in sorted(met)
        ]
        runtime = run.evidence.runtime(case.session)
        return RuntimeNeeds(runtime=runtime, found="seen", calls=calls, with_no_new_privs=None)
    # The value at the filter load: `crun exec` does not carry no_new_privs over.
    entry = run.evidence.trace.segments[case.session.entry]
    container = replace(container, no_new_privileges=entry.facts.no_new_privs)
    return find_runtime_needs(evaluator, container, joined=case.session.joined)


def _find_remedies(
    found: FoundCause, needs: RuntimeNeeds | None, run: DiagnosedRun
) -> list[Remedy]:
    if found.cause == "none" and not run.denials.all:
        return []
    from seclatch.diagnose.remedies.crun_cache import find_stale_filter
    from seclatch.diagnose.remedies.find_remedies import find_remedies

    evidence = run.evidence
    stale = find_stale_filter(evidence, run.denials.all)
    return [*stale, *find_remedies(found, needs, evidence.command)]


def _choose_messages(run: DiagnosedRun) -> list[StartMessage]:
    """Return the last lines that sound like errors, of the processes that failed, without repeats.

    Where one program quotes the message of another, only the last one is shown, with its own words
    around it.
    """
    chosen = run.program_messages if run.chain else run.engine_messages
    telling = [message for message in chosen if sounds_like_error(message.text)] or chosen
    shown: list[StartMessage] = []
    for message in telling:
        text = strip_prefixes(message.text)
        shown = [one for one in shown if one.text not in text]
        if not any(text in one.text for one in shown):
            shown.append(
                StartMessage(stage=message.stage.value, program=message.program, text=text)
            )
    return shown[-_MAX_MESSAGES:]
