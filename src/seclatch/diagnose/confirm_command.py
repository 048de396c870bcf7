"""Confirm the answer about a command: run it again, with the denied calls allowed."""

from __future__ import annotations

import time
from collections.abc import Callable

from seclatch.diagnose.causes.diagnosed_run import DiagnosedRun, FoundCause
from seclatch.diagnose.confirm.confirm_answer import Confirmer, decline
from seclatch.diagnose.confirm.run_again import plan_run_again
from seclatch.diagnose.confirm.run_limit import RunLimit
from seclatch.diagnose.confirm.second_run import CannotRunAgainError
from seclatch.diagnose.confirm.standard_streams import keep_input
from seclatch.diagnose.evidence.run_evidence import RunEvidence
from seclatch.diagnose.observe_command import UPDATE_INTERVAL, observe_command
from seclatch.model.explanation import Confirmation
from seclatch.recording.recorder import RecordOptions


class CommandConfirmation:
    """Confirms the answer about a command; made just before its first run."""

    def __init__(self, args: tuple[str, ...], notify: Callable[[str], None]) -> None:
        self._notify = notify
        self._reason = ""
        self._began = time.monotonic()
        try:
            self._plan = plan_run_again(args)
            self._input = keep_input(
                takes_input=self._plan.takes_input, interactive=self._plan.interactive
            )
        except CannotRunAgainError as error:
            self._reason = str(error)

    def confirm(self, run: DiagnosedRun, found: FoundCause) -> tuple[FoundCause, Confirmation]:
        """Return the answer after more runs, or as it was with the reason why there were none."""
        if self._reason:
            return decline(found, self._reason)
        seconds = time.monotonic() - self._began
        confirmer = Confirmer(self._plan, self._input, self._observe, seconds, self._announce)
        try:
            return confirmer.confirm(run, found)
        except CannotRunAgainError as error:
            return decline(found, str(error))

    def _announce(self) -> None:
        self._notify("running the command again, to confirm the answer: ctrl-C ends that")

    def _observe(self, args: tuple[str, ...], limit: RunLimit) -> RunEvidence:
        options = RecordOptions(
            interval=UPDATE_INTERVAL,
            kill_on_repeat=True,
            query_images=False,
            watch=limit.watch,
            on_stop=limit.note_interrupt,
        )
        return observe_command(args, options)[0]
