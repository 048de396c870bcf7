"""Cause unknown: the runtime failed on another host, or outside of this pid namespace."""

from __future__ import annotations

import re

from seclatch.diagnose.causes.diagnosed_run import DiagnosedRun, FoundCause
from seclatch.diagnose.evidence.run_evidence import StderrLine
from seclatch.diagnose.evidence.unseen_engine import find_client_of_unseen
from seclatch.model.stage import Stage

_RUNTIME_S = re.compile(r"OCI runtime|\b(?:runc|crun)(?: (?:create|run|start|exec) failed|:)")


def find_unseen_container(run: DiagnosedRun) -> FoundCause | None:
    """Find a client of an engine that was not recorded, or a runtime's message without a runtime.

    No process of a runtime was recorded, so its "operation not permitted" may be seccomp's or the
    kernel's.
    """
    evidence = run.evidence
    client = find_client_of_unseen(evidence)
    told = _last_words(run)
    if client:
        program, stage = evidence.program(client.id), evidence.stage(client.id)
    elif told and _RUNTIME_S.search(told.text) and not _saw_runtime(run):
        program, stage = told.program, told.stage
    else:
        return None
    return FoundCause(
        None,
        "engine-not-seen",
        f"{program} asked an engine that could not be watched from here; run seclatch on the "
        f"engine's host, in no pid namespace" + (f": {told.text}" if told else ""),
        stage.value,
        ["whether a call was denied there was not seen"],
    )


def _last_words(run: DiagnosedRun) -> StderrLine | None:
    """Return the last message of a runtime if there is one, else the last message."""
    messages = list(reversed(run.outside or run.inside))
    runtime_s = (message for message in messages if _RUNTIME_S.search(message.text))
    return next(runtime_s, messages[0] if messages else None)


def _saw_runtime(run: DiagnosedRun) -> bool:
    evidence = run.evidence
    runtime = any(evidence.stage(segment) is Stage.RUNTIME for segment in evidence.trace.segments)
    return runtime or bool(evidence.staging.sessions)
