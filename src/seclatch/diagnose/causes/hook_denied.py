"""Cause: a hook that runs under the container's filter was denied a call."""

from __future__ import annotations

from seclatch.diagnose.causes.diagnosed_run import DiagnosedRun, FoundCause
from seclatch.diagnose.evidence.run_evidence import has_failed, read_exit_code
from seclatch.diagnose.evidence.sentences import describe_denial
from seclatch.model.stage import Stage


def find_denied_hook(run: DiagnosedRun) -> FoundCause | None:
    """Find a hook that failed over a denial, so that the container did not start."""
    for case in run.denials.fatal(Stage.HOOK):
        if not has_failed(case.process):
            continue
        program = case.denial.program
        return FoundCause(
            True,
            "hook-denied",
            f"the container's filter stopped a hook: {program} was denied "
            f"{describe_denial(case.denial)}",
            Stage.HOOK.value,
            [
                f"startContainer hooks run with the filter on; {program} ended with status "
                f"{read_exit_code(case.process)}"
            ],
            case,
        )
    return None
