"""Judge by experiment: which runs are made, and what their ends say.

First the command runs again as it is: only what fails the same way twice can be judged. Then the
call that the rules suspect is allowed alone, then all that were denied. What ends well with a call
allowed, and fails as before when it is denied again, was stopped by its denial; what still fails
the same way with none denied was not. A failure of another kind says neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from seclatch.diagnose.confirm.run_ending import (
    Likeness,
    RunOutcome,
    compare_outcomes,
    find_kernel_refusal,
    find_network_failure,
    find_unmade_call,
    mask_numbers,
)

_ROUNDS = 2
"""Runs with all denied calls allowed: the second allows what was denied after those, too."""

RunWith = Callable[[frozenset[str]], RunOutcome]


@dataclass(frozen=True, slots=True)
class Trial:
    """One more run: the calls that were allowed for it, its end, and how that is to the first."""

    allowed: frozenset[str]
    outcome: RunOutcome
    likeness: Likeness


@dataclass
class Experiment:
    """The runs and their result.

    `verdict`: seccomp, not seccomp, or undecided; `calls`: the denied calls without which it ends
    well, with the suspected one first if it is one of them; `unnamed`: it is not, and there are
    several; `reason`: why it is undecided; `against`: such runs speak against seccomp.
    """

    verdict: bool | None = None
    calls: tuple[str, ...] = ()
    unnamed: bool = False
    trials: list[Trial] = field(default_factory=list)
    reason: str = ""
    against: bool = False


class StopExperimentError(Exception):
    """Why no more runs are made."""


class Experimenter:
    """Makes the runs; `suspect`: the call that the rules' answer is about.

    `offline`: the first run may have had a network, which the others have not; `lost`: what it
    changed and they find so, as a phrase. `run` may raise StopExperimentError.
    """

    def __init__(
        self,
        first: RunOutcome,
        suspect: str,
        run: RunWith,
        *,
        offline: bool = False,
        lost: str = "",
    ) -> None:
        self._offline = offline
        self._lost = lost
        self._first = first
        self._suspect = suspect
        self._run = run
        self._loose = False
        self.result = Experiment()

    def experiment(self) -> Experiment:
        """Make the runs and return what they say."""
        try:
            self._repeat()
            self._allow()
        except StopExperimentError as stop:
            if self.result.verdict is None:
                self.result.reason = str(stop)
        return self.result

    def _try(self, allowed: frozenset[str]) -> Trial:
        outcome = self._run(allowed)
        trial = Trial(allowed, outcome, self._compare(outcome))
        self.result.trials.append(trial)
        if outcome.interrupted:
            raise StopExperimentError("it was interrupted")
        if outcome.denied & allowed:
            name = min(outcome.denied & allowed)
            raise StopExperimentError(
                f"{name} was denied all the same: another profile was in force"
            )
        return trial

    def _compare(self, outcome: RunOutcome) -> Likeness:
        if self._loose:
            return compare_outcomes(mask_numbers(self._first), mask_numbers(outcome))
        return compare_outcomes(self._first, outcome)

    def _repeat(self) -> None:
        """Run it as it is: does it fail the same way? If only numbers differ, they do not count."""
        trial = self._try(frozenset())
        if trial.likeness is Likeness.OTHER:
            self._loose = True
            likeness = self._compare(trial.outcome)
            trial = Trial(trial.allowed, trial.outcome, likeness)
            self.result.trials[-1] = trial
        if trial.likeness is Likeness.SUCCESS:
            raise StopExperimentError("run again as it is, it did not fail")
        if trial.likeness is Likeness.OTHER:
            raise StopExperimentError("run again as it is, it failed in another way")
        if missing := self._first.denied - trial.outcome.denied:
            raise StopExperimentError(f"run again as it is, it was not denied {min(missing)}")

    def _allow(self) -> None:
        denied = self._first.denied | self.result.trials[0].outcome.denied
        if self._suspect in denied and len(denied) > 1:
            trial = self._try(frozenset({self._suspect}))
            if trial.likeness is Likeness.SUCCESS:
                self._fail_again()
                self._blame(self._suspect)
                return
            denied |= trial.outcome.denied
        for _ in range(_ROUNDS):
            trial = self._try(denied)
            more = trial.outcome.denied - denied
            if trial.likeness is Likeness.SUCCESS or not more:
                break
            denied |= more
        self._judge(trial)

    def _judge(self, trial: Trial) -> None:
        """Judge the run with all denied calls allowed."""
        if trial.likeness is Likeness.SUCCESS:
            self._narrow(trial.allowed)
            return
        if trial.outcome.stopped:
            raise StopExperimentError(
                "with the denied calls allowed it ran on, and it is no server"
            )
        if trial.likeness is Likeness.OTHER:
            raise StopExperimentError("with the denied calls allowed it failed in another way")
        if doubt := next(self._list_doubts(trial), ""):
            raise StopExperimentError(doubt)
        if self._lost:
            self.result.against = True
            raise StopExperimentError(f"it began otherwise than the first run: {self._lost}")
        self.result.verdict = False

    def _list_doubts(self, trial: Trial) -> Iterator[str]:
        """Yield why a run that fails the same way says nothing about the denials."""
        first, other = self._first, trial.outcome
        if other.denied or other.incomplete:
            yield "it was still denied calls"
        if name := find_kernel_refusal(first, other, trial.allowed):
            yield f"the kernel itself fails {name}, too, when the profile allows it"
        if self._offline and (name := find_network_failure(other)):
            yield f"it has no network when it is run again ({name} failed)"
        if name := find_unmade_call(first, other):
            yield f"it did not make the call that had been denied ({name})"

    def _narrow(self, allowed: frozenset[str]) -> None:
        """Find whether the suspected call is one of those that it takes."""
        self._fail_again()
        others = allowed - {self._suspect}
        self._blame(*sorted(allowed, key=lambda name: (name != self._suspect, name)))
        if others and others != allowed and self._try(others).likeness is Likeness.SUCCESS:
            self._blame(*sorted(others))

    def _fail_again(self) -> None:
        """Run it as it is once more: a failure that ends by itself is not the profile's."""
        if self._try(frozenset()).likeness is not Likeness.SAME:
            raise StopExperimentError("run as it is once more, it did not fail the same way")

    def _blame(self, *calls: str) -> None:
        self.result.verdict = True
        self.result.calls = calls
        self.result.unnamed = len(calls) > 1 and self._suspect not in calls
