"""Pods of Kubernetes, and containers in them, as users name them: NAMESPACE/POD[/CONTAINER]."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

POD_SYNTAX = "NAMESPACE/POD[/CONTAINER]"

# Kubernetes permits less (RFC 1123); other clients of the CRI use underscores and capitals. No
# name has a slash, so that names joined by slashes are not ambiguous.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,252}")


@dataclass(frozen=True, slots=True)
class CriKeys:
    """The keys of a CRI implementation's annotations in a bundle's config.json."""

    kind: str
    namespace: str
    pod: str
    container: str
    image: str


CONTAINERD_KEYS = CriKeys(
    "io.kubernetes.cri.container-type",
    "io.kubernetes.cri.sandbox-namespace",
    "io.kubernetes.cri.sandbox-name",
    "io.kubernetes.cri.container-name",
    "io.kubernetes.cri.image-name",
)
CRI_O_KEYS = CriKeys(
    "io.kubernetes.cri-o.ContainerType",
    "io.kubernetes.pod.namespace",
    "io.kubernetes.pod.name",
    "io.kubernetes.container.name",
    "io.kubernetes.cri-o.ImageName",
)
_SANDBOX_NAME = "POD"
"""CRI-O's name for a sandbox. No container has capitals; a pod's annotations change the kind."""


class PodContainer(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A container's names in Kubernetes; `container` is empty for the sandbox of the pod.

    `claimed`: they are known only from annotations, which the pod's author may choose.
    """

    namespace: str
    pod: str
    container: str = ""
    claimed: bool = False

    def __str__(self) -> str:
        return join_pod_names(self.namespace, self.pod, self.container)


@dataclass(frozen=True, slots=True)
class PodSelector:
    """A pod, or only the container of it that is called `container`."""

    namespace: str
    pod: str
    container: str = ""

    def __str__(self) -> str:
        return join_pod_names(self.namespace, self.pod, self.container)

    def matches(self, namespace: str, pod: str, container: str) -> bool:
        """Return whether a container of these names is selected."""
        return (namespace, pod) == (self.namespace, self.pod) and self.container in ("", container)


def parse_pod(text: str) -> PodSelector:
    """Parse NAMESPACE/POD[/CONTAINER]. Raises ValueError."""
    names = text.split("/")
    if len(names) not in (2, 3) or not all(map(is_pod_name, names)):
        raise ValueError(f"{text[:200]!r} is not {POD_SYNTAX}")
    return PodSelector(*names)


def find_keys(annotations: Mapping[str, object]) -> CriKeys | None:
    """Return the keys of the CRI implementation that made a bundle; None if none or several did."""
    found = [keys for keys in (CONTAINERD_KEYS, CRI_O_KEYS) if keys.kind in annotations]
    return found[0] if len(found) == 1 else None


def read_pod(annotations: Mapping[str, object], keys: CriKeys) -> PodContainer | None:
    """Read the names that a CRI implementation wrote into a bundle's config.json.

    None without them, or if one is no such name. The reader decides which implementation the bundle
    is of: CRI-O copies all annotations of a pod, with containerd's keys if its author likes, and
    other engines let their users choose annotations.
    """
    namespace, pod, container = (
        find_annotation(annotations, key) for key in (keys.namespace, keys.pod, keys.container)
    )
    if not is_pod_name(namespace) or not is_pod_name(pod):
        return None
    if is_sandbox(annotations, keys):
        container = ""
    elif not is_pod_name(container):
        return None
    return PodContainer(namespace=namespace, pod=pod, container=container)


def is_sandbox(annotations: Mapping[str, object], keys: CriKeys) -> bool:
    """Return whether a container holds the namespaces of a pod."""
    name = find_annotation(annotations, keys.container)
    if keys is CRI_O_KEYS and name:
        return name == _SANDBOX_NAME
    return find_annotation(annotations, keys.kind) == "sandbox"


def find_annotation(annotations: Mapping[str, object], *keys: str) -> str:
    """Return the first of these annotations that is text; "" without one."""
    found = (annotations.get(key) for key in keys)
    return next((value for value in found if isinstance(value, str)), "")


def is_pod_name(text: str) -> bool:
    """Return whether Kubernetes, or another client of the CRI, may give something this name."""
    return bool(_NAME.fullmatch(text))


def join_pod_names(namespace: str, pod: str, container: str = "") -> str:
    """Return NAMESPACE/POD/CONTAINER; NAMESPACE/POD for the sandbox, which has no container name.

    "" for a container outside of pods.
    """
    return "/".join(filter(None, (namespace, pod, container))) if pod else ""
