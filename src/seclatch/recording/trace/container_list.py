"""The containers of a recording and the sessions in them: starts, and exec sessions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from seclatch.model.pod import PodContainer
from seclatch.model.recording import recording as model
from seclatch.model.recording.origin import ContainerImage
from seclatch.recording.trace.assign_stages import EnteredSession
from seclatch.recording.trace.numbering import NumberedTrace
from seclatch.recording.trace.run_metadata import RunMetadata


def list_containers(numbered: NumberedTrace, run: RunMetadata) -> Iterator[model.RecordedContainer]:
    """Yield each container once, by its first session."""
    seen: set[int] = set()
    for session in numbered.staging.sessions:
        if session.container in seen:
            continue
        seen.add(session.container)
        facts = numbered.trace.segments[session.entry].facts
        name, runtime = _find_id_and_runtime(numbered, run, session)
        yield model.RecordedContainer(
            id=session.container,
            name=name,
            runtime=runtime or _find_runtime(numbered, session.container),
            mount_namespace=facts.mounts,
            pid_namespace=facts.pids,
            user_namespace=facts.users,
            image=_find_image(numbered, run, session.container),
            profile=_find_profile(numbered, run, session.runtime),
            pod=_find_pod(numbered, run, session.runtime),
        )


def list_sessions(numbered: NumberedTrace) -> Iterator[model.RecordedSession]:
    """Yield each session with the process that entered."""
    for number, session in enumerate(numbered.staging.sessions):
        process = numbered.trace.segments[session.entry].process
        yield model.RecordedSession(
            id=number,
            container=session.container,
            joined=session.joined,
            process=numbered.ids[process],
            count=1 + numbered.trace.folded.get(process, 0),
        )


def _find_id_and_runtime(
    numbered: NumberedTrace, run: RunMetadata, session: EnteredSession
) -> tuple[str, str]:
    """Return the container's id and its runtime's program, as far as they are known."""
    if not session.runtime:
        return run.container, ""
    runtime = numbered.trace.segments[session.runtime]
    starts = not runtime.argv_cut and {"create", "run"} & set(runtime.argv)
    return runtime.argv[-1] if starts else "", runtime.file


def _find_runtime(numbered: NumberedTrace, container: int) -> str:
    """Return the program that brought a later session into a container found running."""
    for session in numbered.staging.sessions:
        if session.container == container and session.runtime:
            return numbered.trace.segments[session.runtime].file
    return ""


def _find_image(numbered: NumberedTrace, run: RunMetadata, container: int) -> ContainerImage | None:
    """Return the image that an engine reported for any of the container's sessions."""
    for session in numbered.staging.sessions:
        image = run.images.get(session.runtime)
        if session.container == container and image:
            return image
    return run.image


def _find_pod(numbered: NumberedTrace, run: RunMetadata, runtime: int) -> PodContainer | None:
    """Return the names in Kubernetes of the container that a runtime made."""
    segment = numbered.trace.segments.get(runtime)
    return (run.pods.get(segment.process) if segment else None) or run.pod


def _find_profile(numbered: NumberedTrace, run: RunMetadata, runtime: int) -> dict[str, Any] | None:
    """Return the profile of the runtime's bundle; None if the runtime was not observed (0)."""
    segment = numbered.trace.segments.get(runtime)
    return run.profiles.get(segment.process) if segment else None
