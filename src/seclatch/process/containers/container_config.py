"""Read a container's config.json: annotations of engines, and its seccomp profile."""

from __future__ import annotations

import json
from dataclasses import dataclass

from seclatch.model.pod import is_pod_name
from seclatch.process.containers.membership import FoundContainer
from seclatch.system.procfs import read_file

_SIZE = 4 << 20
_NAMES = (
    "io.kubernetes.cri.container-name",
    "io.kubernetes.container.name",
    "io.kubernetes.cri-o.Name",
)
_IMAGES = ("io.kubernetes.cri.image-name", "io.kubernetes.cri-o.ImageName")
_PODS = ("io.kubernetes.cri.sandbox-name", "io.kubernetes.pod.name")
_NAMESPACES = ("io.kubernetes.cri.sandbox-namespace", "io.kubernetes.pod.namespace")
CRI_NAMESPACE = "k8s.io"
"""The namespace in containerd of the CRI plugin's containers."""
_PROFILE = "io.podman.annotations.seccomp"


@dataclass(frozen=True, slots=True)
class BundleConfig:
    """Fields of config.json; `seccomp` is None if there is no config.json or no profile in it."""

    name: str = ""
    image: str = ""
    engine: str = ""
    given: str = ""
    seccomp: object = None
    pod: str = ""
    namespace: str = ""


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
    pod, namespace = _read_pod(found, notes)
    return BundleConfig(
        _find_first(notes, _NAMES),
        _find_first(notes, _IMAGES),
        engine,
        given,
        seccomp,
        pod,
        namespace,
    )


def _read_pod(found: FoundContainer, notes: dict[str, object]) -> tuple[str, str]:
    """Return the pod's name and namespace, as a CRI implementation sets them.

    An annotation that anybody may give (`docker run --annotation`) makes no pod.
    """
    if found.engine != "cri-o" and found.namespace != CRI_NAMESPACE:
        return "", ""
    pod, namespace = _find_first(notes, _PODS), _find_first(notes, _NAMESPACES)
    return (pod, namespace) if is_pod_name(pod) and is_pod_name(namespace) else ("", "")


def _find_first(notes: dict[str, object], keys: tuple[str, ...]) -> str:
    found = (notes.get(key) for key in keys)
    return next((value for value in found if isinstance(value, str)), "")
