"""Read a container's config.json: annotations of engines, and its seccomp profile."""

from __future__ import annotations

import json
from dataclasses import dataclass

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
    return BundleConfig(
        _find_first(notes, _NAMES),
        _find_first(notes, _IMAGES),
        engine,
        given,
        seccomp,
        _find_first(notes, _PODS),
    )


def _find_first(notes: dict[str, object], keys: tuple[str, ...]) -> str:
    return next((str(notes[key]) for key in keys if key in notes), "")
