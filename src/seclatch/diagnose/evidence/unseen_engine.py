"""Determine whether the engine that made the command's container was recorded.

A daemon on another host cannot be followed, nor can one outside of this pid namespace; and a
request over TCP cannot be attributed to a daemon (`seclatch.recording.attribution.attribution`).
What happened there is not known.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from seclatch.diagnose.evidence.run_evidence import RunEvidence
from seclatch.model.stage import Stage
from seclatch.model.syscall import load_syscalls
from seclatch.recording.client_only_warning import names_remote_service
from seclatch.recording.trace.event_kinds import EventKind
from seclatch.recording.trace.trace import Segment

# Clients, and the daemons of which one must have been followed.
_DAEMONS = {
    "docker": {"dockerd"},
    "docker-compose": {"dockerd"},
    "ctr": {"containerd"},
    "nerdctl": {"containerd"},
    "crictl": {"containerd", "crio"},
    "kubectl": set[str](),
    "podman-remote": set[str](),
}
_PODMAN_API = b"/libpod/"


def find_client_of_unseen(evidence: RunEvidence) -> Segment | None:
    """Return the client of an engine that was not recorded.

    None if a container's start was recorded, or if no engine was asked.
    """
    if evidence.staging.sessions or any(
        evidence.stage(segment) is Stage.RUNTIME for segment in evidence.trace.segments
    ):
        return None
    for segment, daemons in _list_clients(evidence):
        own = _list_own_segments(evidence, segment)
        said = any(evidence.trace.segments[number].said for number in own)
        if _has_connected(evidence, segment) and not (said and daemons & evidence.engines):
            return segment
    return None


def _list_clients(evidence: RunEvidence) -> Iterator[tuple[Segment, set[str]]]:
    for segment in evidence.trace.segments.values():
        if segment.kind != EventKind.EXEC:
            continue
        for word in (segment.file, *segment.argv[:1]):
            name = PurePosixPath(word).name
            if name == "podman" and _is_remote(segment):
                name = "podman-remote"
            if name in _DAEMONS:
                yield segment, _DAEMONS[name]
                break


def _is_remote(segment: Segment) -> bool:
    """Return whether podman uses a service; otherwise it makes containers itself."""
    return names_remote_service(segment.argv[1:]) or any(
        _PODMAN_API in text for text in segment.said
    )


def _list_own_segments(evidence: RunEvidence, segment: Segment) -> set[int]:
    return evidence.list_own_segments(evidence.process_of(segment.id))


def _has_connected(evidence: RunEvidence, segment: Segment) -> bool:
    """Return whether a connection was made: more were begun than failed."""
    own, number = (
        _list_own_segments(evidence, segment),
        load_syscalls(evidence.native).numbers["connect"],
    )
    begun = sum(evidence.trace.segments[segment].calls[False, number] for segment in own)
    failed = [
        failure
        for failure in evidence.failures
        if failure.segment in own and failure.number == number
    ]
    return begun > len(failed)
