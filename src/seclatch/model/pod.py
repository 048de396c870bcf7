"""Pods of Kubernetes, and containers in them, as users name them: NAMESPACE/POD[/CONTAINER]."""

from __future__ import annotations

import re
from dataclasses import dataclass

POD_SYNTAX = "NAMESPACE/POD[/CONTAINER]"

# Kubernetes permits less (RFC 1123); other clients of the CRI use underscores and capitals. No
# name has a slash, so that names joined by slashes are not ambiguous.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,252}")


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


def is_pod_name(text: str) -> bool:
    """Return whether Kubernetes, or another client of the CRI, may give something this name."""
    return bool(_NAME.fullmatch(text))


def join_pod_names(namespace: str, pod: str, container: str = "") -> str:
    """Return NAMESPACE/POD/CONTAINER; NAMESPACE/POD for the sandbox, which has no container name.

    "" for a container outside of pods.
    """
    return "/".join(filter(None, (namespace, pod, container))) if pod else ""
