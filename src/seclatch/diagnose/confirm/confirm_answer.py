"""Confirm the answer about one run by more runs of its command, and say what was tried."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seclatch.diagnose.causes.diagnosed_run import DiagnosedRun, FoundCause
from seclatch.diagnose.causes.registry import find_cause
from seclatch.diagnose.confirm.allowing_profile import allow_denied_calls, find_obstacle
from seclatch.diagnose.confirm.client_command.second_run import (
    CannotRunAgainError,
    NothingToConfirmError,
    RunAgain,
    SecondRun,
)
from seclatch.diagnose.confirm.closed_profile import close_profile
from seclatch.diagnose.confirm.describe_runs import describe_runs, describe_trial
from seclatch.diagnose.confirm.judge_runs import Experiment, Experimenter, StopExperimentError
from seclatch.diagnose.confirm.removal_guard import guard_removal
from seclatch.diagnose.confirm.require_no_effect import require_no_effect
from seclatch.diagnose.confirm.root_changes import find_root_changes
from seclatch.diagnose.confirm.run_ending import (
    Likeness,
    RunOutcome,
    list_program_denials,
    read_outcome,
)
from seclatch.diagnose.confirm.run_limit import RunLimit
from seclatch.diagnose.confirm.run_progress import RunProgress
from seclatch.diagnose.confirm.standard_streams import RepeatedInput
from seclatch.diagnose.denials.list_denials import DenialCase, RunDenials
from seclatch.diagnose.evidence.run_evidence import RunEvidence
from seclatch.diagnose.failure.judged_failure import FailureVerdict
from seclatch.errors import SeclatchError
from seclatch.model.explanation import Confirmation

# What a second run with the program's denied calls allowed would say nothing about.
_DECIDED = {
    "none": "nothing failed",
    "runtime-denied": "the runtime was denied a call before the program began",
    "hook-denied": "a hook was denied a call before the program began",
    "wrong-architecture": "a call was denied for its architecture",
    "profile-refused": "the profile was not loaded",
    "engine-not-seen": "what the container was denied was not seen",
}

Observe = Callable[[SecondRun, RunLimit], RunEvidence]
"""Runs a command in detail mode, below a limit, and returns the evidence of that run."""


@dataclass(frozen=True, slots=True)
class Confirmer:
    """Confirms answers about a command.

    `since` (ns of CLOCK_REALTIME) its first run began, which took `seconds`; `notify` gets a
    sentence about each step; `is_interrupted`: a stop was requested. `automatic`: runs without
    `--confirm`, which must have no effect.
    """

    plan: RunAgain
    input: RepeatedInput
    observe: Observe
    since: int
    seconds: float
    notify: Callable[[str], None]
    is_interrupted: Callable[[], bool]
    automatic: bool

    def confirm(self, run: DiagnosedRun, found: FoundCause) -> tuple[FoundCause, Confirmation]:
        """Return the answer after more runs, and what they were. Raises CannotRunAgainError."""
        cases = list_cases(run, found, automatic=self.automatic)
        if self.automatic:
            require_no_effect(self.plan, run, cases[0], self.since)
        suspect = _choose_suspect(run, found, cases)
        first = read_outcome(run, stopped=False, interrupted=False)
        known = list(cases)
        progress = RunProgress(self.notify, self.seconds, automatic=self.automatic)
        progress.announce(suspect.denial.syscall)

        def make_run(allowed: frozenset[str]) -> RunOutcome:
            if self.is_interrupted():
                raise StopExperimentError("it was interrupted")
            number, seconds = progress.begin_run(allowed)
            outcome, more = self._run_again(run, known, allowed, number, seconds)
            if outcome.stopped and progress.is_spent:
                raise StopExperimentError(progress.describe_limit())
            known.extend(more)
            return outcome

        experimenter = Experimenter(
            first,
            suspect.denial.syscall,
            make_run,
            offline=self.plan.offline,
            lost=self._restore_root(run),
        )
        return _conclude(run, found, cases, experimenter.experiment())

    def _restore_root(self, run: DiagnosedRun) -> str:
        """Have further runs begin as the first one did; return in what they do not, as a phrase."""
        root = self.plan.root
        if root is None:
            return ""
        changes = find_root_changes(root.path, self.since, run.evidence)
        hidden = root.hide(changes.made)
        if changes.unseen:
            return f"what that had changed in {changes.unseen} could not be looked at in time"
        path = changes.lost or ("" if hidden else "".join(changes.made[:1]))
        return f"that had changed {path}" if path else ""

    def _run_again(
        self,
        run: DiagnosedRun,
        cases: Sequence[DenialCase],
        allowed: frozenset[str],
        number: str,
        seconds: float,
    ) -> tuple[RunOutcome, list[DenialCase]]:
        """Run it with some calls allowed; return its end, and what the program was denied then."""
        profile = self._make_profile(run, cases, allowed)
        with tempfile.TemporaryDirectory(prefix="seclatch-confirm-") as folder:
            second = self.plan.make(number, Path(folder), profile)
            limit = RunLimit(seconds, second.stop)
            with guard_removal(second, Path(folder)) as guarded:
                try:
                    with self.input.redirect():
                        evidence = self.observe(guarded, limit)
                except SeclatchError as error:
                    raise CannotRunAgainError(f"running it again failed: {error}") from error
                finally:
                    limit.clean()
        again = DiagnosedRun(evidence, RunDenials(evidence))
        outcome = read_outcome(again, stopped=limit.exceeded, interrupted=limit.interrupted)
        return outcome, list_program_denials(again)

    def _make_profile(
        self, run: DiagnosedRun, cases: Sequence[DenialCase], allowed: frozenset[str]
    ) -> dict[str, Any] | None:
        """Return the profile of a further run; None for the first one's."""
        profile: dict[str, Any] | None = None
        evaluator = run.denials.find_evaluator(cases[0].session)
        if evaluator is None:
            raise CannotRunAgainError("its profile is not known")
        if allowed:
            if reason := find_obstacle(cases, isolated=self.automatic):
                raise CannotRunAgainError(reason)
            profile = allow_denied_calls(evaluator, cases, allowed)
        return close_profile(profile, evaluator) if self.automatic else profile


def decline(found: FoundCause, reason: str, *, automatic: bool) -> tuple[FoundCause, Confirmation]:
    """Return the answer as it was, and why there were no further runs.

    That comes first where they were asked for, and else last.
    """
    how = "not run again by itself to confirm it" if automatic else "not run again to confirm it"
    facts = [f"{how}: {reason}"]
    evidence = [*found.evidence, *facts] if automatic else [*facts, *found.evidence]
    record = Confirmation(seccomp=None, calls=[], runs=[], reason=reason, before=found.summary)
    return replace(found, evidence=evidence), record


def list_cases(run: DiagnosedRun, found: FoundCause, *, automatic: bool) -> list[DenialCase]:
    """Return the denials to be allowed.

    Raises NothingToConfirmError if there is nothing to try, else CannotRunAgainError.
    """
    cases = list_program_denials(run)
    if reason := _find_reason(run, found, cases):
        raise NothingToConfirmError(reason)
    if run.denials.find_evaluator(cases[0].session) is None:
        raise CannotRunAgainError("its profile is not known")
    if reason := find_obstacle(cases, isolated=automatic):
        raise CannotRunAgainError(reason)
    return cases


def _find_reason(run: DiagnosedRun, found: FoundCause, cases: Sequence[DenialCase]) -> str:
    """Return why another run would say nothing; "" if it would."""
    sessions = [case.session for case in cases if case.session]
    facts = {
        "the program did not begin": not run.chain,
        "the first run has not ended": any(process.ended is None for process in run.chain),
        "no call was denied to the program, so there is nothing to allow": not cases,
        "calls were denied in several containers": len({one.container for one in sessions}) > 1,
        "calls were denied to a program that was executed in the container": any(
            session.joined for session in sessions
        ),
    }
    reasons = [_DECIDED.get(found.cause, ""), *(reason for reason, holds in facts.items() if holds)]
    return next((reason for reason in reasons if reason), "")


def _choose_suspect(
    run: DiagnosedRun, found: FoundCause, cases: Sequence[DenialCase]
) -> DenialCase:
    """Return the denial to allow alone: the answer's, or the last one that may matter."""
    named = [found.case, run.verdict.case if run.verdict else None]
    likely = [case for case in run.chain_denials if case in cases]
    return next((case for case in named if case and case in cases), (likely or list(cases))[-1])


def _conclude(
    run: DiagnosedRun,
    found: FoundCause,
    cases: Sequence[DenialCase],
    result: Experiment,
) -> tuple[FoundCause, Confirmation]:
    tried = describe_runs(result)
    confirmation = Confirmation(
        seccomp=result.verdict,
        calls=list(result.calls),
        runs=[describe_trial(trial) for trial in result.trials],
        reason=result.reason,
        before=found.summary,
    )
    if result.verdict is None:
        return _keep_answer(run, found, result, tried), confirmation
    facts = [tried]
    if found.seccomp is (not result.verdict):
        facts.append(f"without these runs the answer was: {found.summary}")
    case = _find_blamed(run, found, cases, result) if result.verdict else None
    answer = found
    if found.seccomp is not result.verdict or found.case is not case:
        answer = find_cause(replace(run, confirmed=FailureVerdict(result.verdict, case)))
    together = result.calls if len(result.calls) > 1 else ()
    facts += [f"it takes {len(together)} calls: {', '.join(together)}"] if together else []
    return replace(
        answer,
        evidence=[*facts, *answer.evidence],
        together=together,
        unnamed=result.unnamed,
    ), confirmation


def _find_blamed(
    run: DiagnosedRun, found: FoundCause, cases: Sequence[DenialCase], result: Experiment
) -> DenialCase:
    """Return the denial that the answer is about: of the first call, or the first of several.

    Where several calls were allowed and none is known to be enough or to be needed, those that were
    denied later are most often of the path by which a program reports the first denial.
    """
    if found.case and found.case.denial.syscall == result.calls[0]:
        return found.case
    wanted = result.calls if result.unnamed else result.calls[:1]
    likely = [case for case in run.chain_denials if case.denial.syscall in wanted]
    of_call = likely or [case for case in cases if case.denial.syscall in wanted] or list(cases)
    return of_call[0 if result.unnamed else -1]


def _keep_answer(
    run: DiagnosedRun, found: FoundCause, result: Experiment, tried: str
) -> FoundCause:
    """Return the first answer with what was tried; no certain one that the runs speak against."""
    fact = f"{tried}. {result.reason}" if result.reason else tried
    facts = [fact, *found.evidence]
    allowed = [trial for trial in result.trials if trial.allowed]
    changed = any(trial.likeness is Likeness.OTHER for trial in allowed[-1:])
    if (found.seccomp and result.against) or (found.seccomp is False and changed):
        doubtful = FailureVerdict(None, _choose_suspect(run, found, list_program_denials(run)))
        doubt = find_cause(replace(run, confirmed=doubtful))
        return replace(doubt, evidence=[fact, *doubt.evidence])
    return replace(found, evidence=facts)
