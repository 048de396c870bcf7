"""Build the explanation from the evidence.

Modules that only some causes need are imported when needed: most commands do not fail because of
seccomp, and their explanation should not wait for these imports.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import msgspec

from seclatch.diagnose.causes.diagnosed_run import DiagnosedRun, FoundCause
from seclatch.diagnose.causes.registry import find_cause
from seclatch.diagnose.denials.list_denials import DenialCase, RunDenials
from seclatch.diagnose.evidence.command_line import name_profile
from seclatch.diagnose.evidence.run_evidence import RunEvidence
from seclatch.diagnose.evidence.sentences import sounds_like_error, strip_prefixes
from seclatch.model.explanation import (
    Confirmation,
    ExplainedDenial,
    Explanation,
    FixedProfile,
    NeededCall,
    Remedy,
    RuntimeNeeds,
    StartMessage,
)
from seclatch.version import __version__

_MAX_DENIALS, _MAX_MESSAGES = 1000, 3


Confirm = Callable[[DiagnosedRun, FoundCause], tuple[FoundCause, Confirmation | None]]


def build_explanation(evidence: RunEvidence, confirm: Confirm | None = None) -> Explanation:
    """Find the cause, all denials, and the remedies; `confirm` may answer otherwise than rules."""
    denials = RunDenials(evidence, name_profile(evidence.command))
    run = DiagnosedRun(evidence, denials)
    found, confirmation = find_cause(run), None
    if confirm:
        found, confirmation = confirm(run, found)
    needs = _find_needs(found, run)
    remedies, fix = _find_remedies(found, needs, run)
    tried = confirmation is not None and confirmation.runs
    if found.cause == "possibly-denied" and not tried and _can_confirm(evidence.command):
        from seclatch.diagnose.remedies.find_remedies import suggest_confirming

        reason = confirmation.reason if confirmation else ""
        remedies = [suggest_confirming(evidence.command, reason), *remedies]
    lost = evidence.trace.lost
    return Explanation(
        seccomp=found.seccomp,
        cause=found.cause,
        summary=found.summary,
        stage=found.stage,
        evidence=found.evidence,
        command=list(evidence.command),
        status=evidence.status,
        denials=_list_denials(found, run),
        needs=needs,
        messages=_choose_messages(run) if run.anything_failed else [],
        remedies=remedies,
        fix=fix,
        confirmation=confirmation,
        incomplete=evidence.sights.lost + lost.events + lost.processes + evidence.missed,
        seclatch=__version__,
    )


def _can_confirm(command: Sequence[str]) -> bool:
    from seclatch.diagnose.confirm.client_command.second_run import CannotRunAgainError
    from seclatch.diagnose.confirm.run_again import plan_run_again

    try:
        plan_run_again(command)
    except CannotRunAgainError:
        return False
    return True


def _list_denials(found: FoundCause, run: DiagnosedRun) -> list[ExplainedDenial]:
    cases = run.denials.all[:_MAX_DENIALS]
    if not cases:
        return []
    from seclatch.diagnose.remedies.rule_place import RuleLocator

    locator = RuleLocator(run.evidence.command)
    return [locator.locate(_mark_fatal(case, found, run)) for case in cases]


def _mark_fatal(case: DenialCase, found: FoundCause, run: DiagnosedRun) -> ExplainedDenial:
    """Return the denial for display; the one that the cause is about is marked as fatal."""
    judged = run.verdict is not None and case in run.chain_denials
    one_of = found.unnamed and case.denial.syscall in found.together
    if found.seccomp and (case is found.case or one_of):
        return msgspec.structs.replace(case.denial, fatal=True)
    if judged and not found.seccomp:
        return msgspec.structs.replace(case.denial, fatal=False)
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
) -> tuple[list[Remedy], FixedProfile | None]:
    """Return the remedies, and the changed profile that the first one about a profile is about."""
    if found.cause == "none" and not run.denials.all:
        return [], None
    from seclatch.diagnose.remedies.crun_cache import find_stale_filter
    from seclatch.diagnose.remedies.find_remedies import find_remedies
    from seclatch.diagnose.remedies.profile_fix import ProfileFixer

    evidence, case = run.evidence, found.case
    stale = find_stale_filter(evidence, run.denials.all)
    fixer = None
    if case is not None:
        evaluator = run.denials.find_evaluator(case.session)
        fixer = ProfileFixer(evidence.command, case, evaluator)
    remedies = [*stale, *find_remedies(found, needs, evidence.command, fixer)]
    for fix in fixer.made[:1] if fixer else ():
        return remedies, FixedProfile(file=fix.file, change=fix.place, text=fix.text)
    return remedies, None


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
