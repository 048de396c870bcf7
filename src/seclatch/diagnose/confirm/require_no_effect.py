"""Require that further runs of a command leave nothing behind and reach nothing.

What the container can do is read from the configuration that its runtime was given in the first
run, which is what counts: engines have defaults of their own (containers.conf, daemon.json).
"""

from __future__ import annotations

from pathlib import Path

from seclatch.diagnose.causes.diagnosed_run import DiagnosedRun
from seclatch.diagnose.confirm.container_effects import find_effect
from seclatch.diagnose.confirm.mount_effects import MountCheck
from seclatch.diagnose.confirm.refused_options import ENGINES
from seclatch.diagnose.confirm.second_run import CannotRunAgainError, RunAgain
from seclatch.diagnose.denials.list_denials import DenialCase


def require_no_effect(plan: RunAgain, run: DiagnosedRun, case: DenialCase) -> None:
    """Raise CannotRunAgainError with what speaks against a run that was not asked for."""
    if plan.doubt:
        raise CannotRunAgainError(plan.doubt)
    container = run.evidence.container(case.session)
    if container is None or not container.config:
        raise CannotRunAgainError("its container's configuration was not seen")
    if reason := find_effect(
        container.config,
        MountCheck(run.evidence.command, _has_same_view(run, case)),
        makes_devices=plan.client not in ("runc", "crun"),
        offline=plan.client in ENGINES,
    ):
        raise CannotRunAgainError(reason)


def _has_same_view(run: DiagnosedRun, case: DenialCase) -> bool:
    """Return whether the runtime had this process's mount namespace: paths mean the same then."""
    session = case.session
    runtime = run.evidence.trace.segments.get(session.runtime) if session else None
    return runtime is not None and runtime.facts.mounts == Path("/proc/self/ns/mnt").stat().st_ino
