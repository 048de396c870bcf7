"""Read a container's config.json: annotations of engines, and its seccomp profile."""

from __future__ import annotations

import json
from dataclasses import dataclass

from seclatch.model.pod import CONTAINER_NAME_KEYS, PodContainer, find_annotation, read_pod
from seclatch.process.containers.membership import FoundContainer
from seclatch.system.procfs import read_file

_SIZE = 4 << 20
_NAME_KEYS = (*CONTAINER_NAME_KEYS, "io.kubernetes.cri-o.Name")
_IMAGE_KEYS = ("io.kubernetes.cri.image-name", "io.kubernetes.cri-o.ImageName")
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
    engine = "cri-o" if "io.kubernetes.cri-o.Name" in notes else ""
    given = str(notes.get(_PROFILE, ""))
    is_cri = found.engine == "cri-o" or found.namespace == CRI_NAMESPACE
    return BundleConfig(
        find_annotation(notes, _NAME_KEYS),
        find_annotation(notes, _IMAGE_KEYS),
        engine,
        given,
        seccomp,
        read_pod(notes) if is_cri else None,
    )
