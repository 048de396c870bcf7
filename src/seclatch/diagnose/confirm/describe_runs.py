"""Say what was tried to confirm an answer: one sentence for a reader, one record for `--json`."""

from __future__ import annotations

from collections.abc import Sequence

from seclatch.diagnose.confirm.judge_runs import Experiment, Trial
from seclatch.diagnose.confirm.run_ending import Likeness
from seclatch.model.explanation import ConfirmingRun

_SHOWN = 4


def describe_runs(result: Experiment) -> str:
    """Return one sentence about all runs: what was allowed, and how each ended."""
    parts = []
    for number, trial in enumerate(result.trials):
        how = f"with {join_names(sorted(trial.allowed))} allowed" if trial.allowed else "as it is"
        parts.append(f"{'run again ' if number == 0 else ''}{how} it {_describe_end(trial)}")
    return f"tried: {'; '.join(parts)}" if parts else "tried: nothing"


def _describe_end(trial: Trial) -> str:
    status = trial.outcome.status
    if trial.likeness is Likeness.SAME:
        return f"failed the same way (status {status})"
    if trial.outcome.stopped:
        return "ran on without a failure until it was stopped"
    if trial.likeness is Likeness.SUCCESS:
        return "ended well"
    words = trial.outcome.last_words
    return f"failed in another way (status {status}{f': {words}' if words else ''})"


def join_names(names: Sequence[str]) -> str:
    """Return some names, and how many more there are."""
    shown = names[:_SHOWN]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def describe_trial(trial: Trial) -> ConfirmingRun:
    """Return the record of one run."""
    return ConfirmingRun(
        allowed=sorted(trial.allowed),
        status=trial.outcome.status,
        end=trial.likeness.value,
        stopped=trial.outcome.stopped,
        last_words=trial.outcome.last_words,
    )
