"""Confirm the answer about a command: run it again, with the denied calls allowed."""

from __future__ import annotations

import time
from collections.abc import Callable

from seclatch.diagnose.causes.diagnosed_run import DiagnosedRun, FoundCause
from seclatch.diagnose.confirm.client_command.second_run import (
    CannotRunAgainError,
    NothingToConfirmError,
    SecondRun,
)
from seclatch.diagnose.confirm.confirm_answer import Confirmer, decline, list_cases
from seclatch.diagnose.confirm.held_signals import StopRequests, hold_stop_signals
from seclatch.diagnose.confirm.run_again import plan_run_again
from seclatch.diagnose.confirm.run_limit import RunLimit
from seclatch.diagnose.confirm.standard_streams import keep_input
from seclatch.diagnose.evidence.run_evidence import RunEvidence
from seclatch.diagnose.observe_command import UPDATE_INTERVAL, observe_command
from seclatch.model.explanation import Confirmation
from seclatch.recording.recorder import RecordOptions

_LONG_SECONDS = 15
"""A command that took longer is not run again without being asked."""


class CommandConfirmation:
    """Confirms the answer about a command; made just before its first run.

    `automatic`: further runs were not asked for, so they are made only where they leave nothing
    and reach nothing.
    """

    def __init__(
        self, args: tuple[str, ...], notify: Callable[[str], None], *, automatic: bool
    ) -> None:
        self._notify = notify
        self._automatic = automatic
        self._interrupted = False
        self._reason = ""
        self._began, self._since = time.monotonic(), time.time_ns()
        try:
            self._plan = plan_run_again(args, isolated=automatic)
            self._input = keep_input(
                takes_input=self._plan.takes_input,
                interactive=self._plan.interactive,
                withhold=not automatic,
            )
        except CannotRunAgainError as error:
            self._reason = str(error)

    def note_interrupt(self) -> None:
        """Note that the user has ended the first run: there are to be no more."""
        self._interrupted = True

    def confirm(
        self, run: DiagnosedRun, found: FoundCause
    ) -> tuple[FoundCause, Confirmation | None]:
        """Return the answer after more runs, or as it was with the reason why there were none."""
        try:
            if self._automatic:
                self._require_trial(run, found)
            if self._reason:
                raise CannotRunAgainError(self._reason)
            with hold_stop_signals() as held:
                return self._make_confirmer(held).confirm(run, found)
        except CannotRunAgainError as error:
            if self._automatic and isinstance(error, NothingToConfirmError):
                return found, None
            return decline(found, str(error), automatic=self._automatic)

    def _require_trial(self, run: DiagnosedRun, found: FoundCause) -> None:
        """Raise an error where runs without `--confirm` would say nothing, or take long."""
        seconds = time.monotonic() - self._began
        if self._interrupted:
            raise NothingToConfirmError("the first run was interrupted")
        list_cases(run, found, automatic=True)
        if seconds > _LONG_SECONDS:
            raise CannotRunAgainError(f"its first run took {seconds:.0f} s")

    def _make_confirmer(self, held: StopRequests) -> Confirmer:
        def observe(second: SecondRun, limit: RunLimit) -> RunEvidence:
            def prepare() -> None:
                held.release()
                second.prepare()

            options = RecordOptions(
                interval=UPDATE_INTERVAL,
                kill_on_repeat=True,
                query_images=False,
                watch=limit.watch,
                on_stop=limit.note_interrupt,
                prepare=prepare,
            )
            return observe_command(second.words, options)[0]

        return Confirmer(
            self._plan,
            self._input,
            observe,
            self._since,
            time.monotonic() - self._began,
            self._notify,
            held.take_stop_request,
            self._automatic,
        )
