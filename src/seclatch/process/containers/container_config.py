"""Read a container's config.json: annotations of engines, and its seccomp profile."""

from __future__ import annotations

import json
from dataclasses import dataclass

from seclatch.model.pod import CONTAINERD_KEYS, PodContainer, find_annotation
from seclatch.process.containers.membership import FoundContainer
from seclatch.process.containers.pod_identity import PodBundle, identify_pod
from seclatch.system.procfs import read_file

_SIZE = 4 << 20
_CRI_O_NAME = "io.kubernetes.cri-o.Name"
CRI_NAMESPACE = "k8s.io"
"""The namespace in containerd of the CRI plugin's containers."""
_PROFILE = "io.podman.annotations.seccomp"


@dataclass(frozen=True, slots=True)
class BundleConfig:
    """Fields of config.json; `seccomp` is None if there is no config.json or no profile in it.

    `pod` is only read where a CRI implementation set it: `docker run --annotation` makes no pod.
    """

    name: str = ""
    image: str = ""
    engine: str = ""
    given: str = ""
    seccomp: object = None
    pod: PodContainer | None = None


def read_bundle(found: FoundContainer) -> BundleConfig:
    """Read a trusted container's config.json, if it can be found and read."""
    if not found.bundle or not found.trusted:
        return BundleConfig()
    folder = found.bundle
    if found.engine in ("docker", "containerd"):
        folder += f"/../{found.id}"  # the shim's own directory, or one beside it
    try:
        config = json.loads(read_file(f"{folder}/config.json", _SIZE))
        notes = dict(config.get("annotations") or {})
        seccomp = (config.get("linux") or {}).get("seccomp")
    except (ValueError, AttributeError, TypeError):
        return BundleConfig()
    of_cri = found.engine == "cri-o" or found.namespace == CRI_NAMESPACE
    return BundleConfig(
        find_annotation(notes, CONTAINERD_KEYS.container, _CRI_O_NAME),
        # CRI-O copies a pod's annotations; its image is read from its storage.
        "" if found.engine == "cri-o" else find_annotation(notes, CONTAINERD_KEYS.image),
        "cri-o" if _CRI_O_NAME in notes else "",
        str(notes.get(_PROFILE, "")),
        seccomp,
        identify_pod(found, PodBundle(folder, notes, config)) if of_cri else None,
    )
