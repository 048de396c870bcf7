"""Find the names and images of containers: query each engine once, within a time limit.

An engine that does not answer in time is not asked again; the notes say so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from seclatch.model.process import LiveContainer
from seclatch.process.containers.container_config import read_bundle
from seclatch.process.containers.containerd_containers import query_containerd
from seclatch.process.containers.docker_containers import query_docker
from seclatch.process.containers.known_container import KnownContainer
from seclatch.process.containers.membership import FoundContainer
from seclatch.process.containers.podman_containers import query_podman
from seclatch.system.procfs import ProcEntry


def name_containers(
    found: Iterable[FoundContainer], entries: Mapping[int, ProcEntry], notes: list[str]
) -> dict[str, KnownContainer]:
    """Query the engines for all containers; failures are added to `notes`.

    Of an untrusted claim nothing is queried or read: its paths may lead to anything.
    """
    all_found = {container.id: container for container in found}
    known = {container.id: _read_known(container) for container in all_found.values()}
    wanted = {container.id: container for container in all_found.values() if container.trusted}
    for query in (query_docker, query_podman, query_containerd):
        for identity, queried in query(wanted, entries, notes).items():
            known[identity] = _combine(known[identity], queried)
    return known


def _read_known(found: FoundContainer) -> KnownContainer:
    bundle = read_bundle(found)
    pod = bundle.pod
    container = LiveContainer(
        found.id,
        pod.container if pod else found.name or bundle.name,
        bundle.image,
        bundle.engine or found.engine,
        pod.pod if pod else "",
        pod.namespace if pod else "",
        claimed=bool(pod and pod.claimed),
    )
    return KnownContainer(container, bundle.seccomp, bundle.given, found.trusted)


def _combine(known: KnownContainer, queried: KnownContainer) -> KnownContainer:
    """Prefer the engine's answer, but a pod's own names: containerd returns the id alone."""
    own, other = known.container, queried.container
    container = replace(
        own,
        name=own.name if own.pod else other.name or own.name,
        image=other.image or own.image,
        engine=own.engine or other.engine,
    )
    return replace(known, container=container, given=queried.given or known.given)
