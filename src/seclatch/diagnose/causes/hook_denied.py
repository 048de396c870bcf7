"""A hook that runs under the container's filter was denied a call."""

from __future__ import annotations

from seclatch.diagnose.causes.diagnosed_run import Found, Subject
from seclatch.diagnose.evidence.run_evidence import exit_code, failed
from seclatch.diagnose.evidence.sentences import describe
from seclatch.model.stage import Stage


def find(subject: Subject) -> Found | None:
    """A hook ended badly over a denial, and the container did not start."""
    for case in subject.denials.fatal(Stage.HOOK):
        if not failed(case.process):
            continue
        program = case.denial.program
        return Found(
            True,
            "hook-denied",
            f"the container's filter stopped a hook: {program} was denied {describe(case.denial)}",
            Stage.HOOK.value,
            [
                f"startContainer hooks run with the filter on; {program} ended with status "
                f"{exit_code(case.process)}"
            ],
            case,
        )
    return None
