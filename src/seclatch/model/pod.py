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


# Annotations of a bundle's config.json: of containerd's CRI plugin, then of CRI-O.
CONTAINER_TYPE_KEYS = ("io.kubernetes.cri.container-type", "io.kubernetes.cri-o.ContainerType")
CONTAINER_NAME_KEYS = ("io.kubernetes.cri.container-name", "io.kubernetes.container.name")
_POD_KEYS = ("io.kubernetes.cri.sandbox-name", "io.kubernetes.pod.name")
_NAMESPACE_KEYS = ("io.kubernetes.cri.sandbox-namespace", "io.kubernetes.pod.namespace")


class PodContainer(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A container's names in Kubernetes; `container` is empty for the sandbox of the pod."""

    namespace: str
    pod: str
    container: str = ""

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


def read_pod(annotations: Mapping[str, object]) -> PodContainer | None:
    """Read the names that a CRI implementation wrote into a bundle's config.json.

    None without them, or if one is no such name. The reader decides whether the bundle is one of a
    CRI implementation: other engines let their users choose annotations.
    """
    namespace, pod, container = (
        find_annotation(annotations, keys)
        for keys in (_NAMESPACE_KEYS, _POD_KEYS, CONTAINER_NAME_KEYS)
    )
    if not is_pod_name(namespace) or not is_pod_name(pod):
        return None
    if find_annotation(annotations, CONTAINER_TYPE_KEYS) == "sandbox":
        container = ""
    elif not is_pod_name(container):
        return None
    return PodContainer(namespace=namespace, pod=pod, container=container)


def find_annotation(annotations: Mapping[str, object], keys: tuple[str, ...]) -> str:
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
