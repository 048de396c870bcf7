"""Cause: the program uses an ABI that its profile does not list."""

from __future__ import annotations

from seclatch.diagnose.causes.diagnosed_run import DiagnosedRun, FoundCause
from seclatch.model.arch import Arch


def find_wrong_architecture(run: DiagnosedRun) -> FoundCause | None:
    """Find a fatal denial because of the architecture."""
    for case in run.denials.fatal():
        if case.denial.rule.by != "architecture":
            continue
        arch = Arch.parse(case.denial.arch)
        end = "killed it" if case.denial.signal else "denied its calls"
        return FoundCause(
            True,
            "wrong-architecture",
            f"{case.denial.program} makes calls of {arch.scmp}, which the profile does not list: "
            f"seccomp {end}",
            case.stage.value,
            [
                "a filter answers all calls of an architecture that it was not made for the same "
                "way, whatever its rules say"
            ],
            case,
        )
    return None
