"""Find the pod of a container by its id, while it is started or runs."""

from __future__ import annotations

from dataclasses import replace

from seclatch.model.pod import PodContainer
from seclatch.process.containers.container_config import CRI_NAMESPACE, read_bundle
from seclatch.process.containers.membership import FoundContainer, find_containers
from seclatch.process.containers.metadata_trust import HEXADECIMAL
from seclatch.system.procfs import list_pids, read_entry


def find_pod(identifier: str, monitor: int = 0) -> PodContainer | None:
    """Return the names that a trusted CRI implementation has; None for a container of another.

    `monitor`: the pid of its shim or conmon, if known. A pod's shim does not name its containers,
    but all their bundles are beside its own one.
    """
    if not HEXADECIMAL.fullmatch(identifier):
        return None
    pids = [monitor] if monitor else list_pids()
    found = find_containers({pid: entry for pid in pids if (entry := read_entry(pid))})
    own = found.get(identifier)
    if own and own.trusted and not _is_shim_of_cri(own):
        return read_bundle(own).pod  # of CRI-O; of other engines it is none
    for shim in {each.bundle: each for each in found.values() if _is_shim_of_cri(each)}.values():
        if pod := read_bundle(replace(shim, id=identifier)).pod:
            return pod
    return None


def _is_shim_of_cri(found: FoundContainer) -> bool:
    return bool(found.monitor) and found.trusted and found.namespace == CRI_NAMESPACE
