"""Cause unknown: the runtime failed on another host, or outside of this pid namespace."""

from __future__ import annotations

import re

from seclatch.diagnose.causes.diagnosed_run import DiagnosedRun, FoundCause
from seclatch.diagnose.evidence.image_build import builds_image
from seclatch.diagnose.evidence.run_evidence import StderrLine
from seclatch.diagnose.evidence.unseen_engine import find_client_of_unseen
from seclatch.model.stage import Stage

_RUNTIME_MESSAGE = re.compile(r"OCI runtime|\b(?:runc|crun)(?: (?:create|run|start|exec) failed|:)")


# What a builder reports of a step: BuildKit, and docker's builder before it.
_FAILED_STEP = re.compile(
    r"did not complete successfully|executor failed running|returned a non-zero code"
)


def find_unseen_build(run: DiagnosedRun) -> FoundCause | None:
    """Find a failed step of an image's build that was not among what the engine's builder ran.

    A builder on another host, or in a container of its own (`docker buildx create`), for one.
    """
    if run.evidence.staging.sessions or not builds_image(run.evidence.command):
        return None
    messages = [*run.engine_messages, *run.program_messages]
    last = next((one for one in reversed(messages) if _FAILED_STEP.search(one.text)), None)
    if last is None:
        return None
    return FoundCause(
        None,
        "engine-not-seen",
        last.text,
        last.stage.value,
        [
            "a build's steps are run by a builder, and none with this command and status was "
            "recorded: calls that were denied to it are not known",
            "explain the step's command by `docker run`, in an image of the steps before it",
        ],
    )


def find_unseen_container(run: DiagnosedRun) -> FoundCause | None:
    """Find a client of an engine that was not recorded, or a runtime's message without a runtime.

    No process of a runtime was recorded, so its "operation not permitted" may be seccomp's or the
    kernel's.
    """
    evidence = run.evidence
    client = find_client_of_unseen(evidence)
    last = _find_last_message(run)
    if client:
        program, stage = evidence.program(client.id), evidence.stage(client.id)
    elif last and _RUNTIME_MESSAGE.search(last.text) and not _has_runtime(run):
        program, stage = last.program, last.stage
    else:
        return None
    unrecorded = f"{program} asked an engine that could not be recorded from here"
    return FoundCause(
        None,
        "engine-not-seen",
        last.text if last else unrecorded,
        stage.value,
        [
            *([unrecorded] if last else []),
            "calls that were denied there were not recorded: run seclatch on the engine's host, in "
            "no pid namespace",
        ],
    )


def _find_last_message(run: DiagnosedRun) -> StderrLine | None:
    """Return the last message of a runtime if there is one, else the last message."""
    messages = list(reversed(run.engine_messages or run.program_messages))
    of_runtime = (message for message in messages if _RUNTIME_MESSAGE.search(message.text))
    return next(of_runtime, messages[0] if messages else None)


def _has_runtime(run: DiagnosedRun) -> bool:
    evidence = run.evidence
    runtime = any(evidence.stage(segment) is Stage.RUNTIME for segment in evidence.trace.segments)
    return runtime or bool(evidence.staging.sessions)
