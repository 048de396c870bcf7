"""Pods as JSON, and what the tests ask of a running one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.engines.host import wait_until
from tests.engines.image import IMAGE
from tests.kubernetes.cluster import Cluster

SLEEP = ("sleep", "1000")
STRICT = "profiles/strict.json"


def container(
    name: str, *command: str, profile: str | None = None, **fields: Any
) -> dict[str, Any]:
    """Describe a container of the test image, under a profile of the kubelet's directory."""
    described: dict[str, Any] = {"name": name, "image": IMAGE, "command": [*command]}
    if profile:
        described["securityContext"] = {"seccompProfile": local(profile)}
    return {**described, "imagePullPolicy": "Never", **fields}


def local(profile: str) -> dict[str, str]:
    """Describe a profile of type Localhost."""
    return {"type": "Localhost", "localhostProfile": profile}


def pod(
    name: str,
    *containers: dict[str, Any],
    handler: str | None = "seclatch",
    annotations: dict[str, str] | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """Describe a pod of a RuntimeClass (that of the cluster's default runtime: None)."""
    spec = {"containers": [*containers], "terminationGracePeriodSeconds": 1, **fields}
    if handler:
        spec["runtimeClassName"] = handler
    metadata = {"name": name, "annotations": annotations or {}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def status(cluster: Cluster, name: str) -> dict[str, Any]:
    """Return a pod's status."""
    found: dict[str, Any] = cluster.get("pod", name)["status"]
    return found


def await_status(
    cluster: Cluster, name: str, holds: Callable[[dict[str, Any]], object], what: str
) -> dict[str, Any]:
    """Wait until a pod's status is as wanted; return it."""
    wait_until(lambda: holds(status(cluster, name)), f"pod {name} {what}", 120)
    return status(cluster, name)


def await_ready(cluster: Cluster, name: str) -> dict[str, Any]:
    """Wait until all containers of a pod are ready."""
    return await_status(cluster, name, _is_ready, "to be ready")


def _is_ready(found: dict[str, Any]) -> bool:
    states = found.get("containerStatuses", [])
    return bool(states) and all(each["ready"] for each in states)


def await_reason(cluster: Cluster, name: str, reason: str) -> str:
    """Wait until the first container is kept from running for a reason; return the message."""

    def states(found: dict[str, Any]) -> list[dict[str, str]]:
        statuses = found.get("containerStatuses", [{"state": {}}])
        return [*statuses[0]["state"].values(), *statuses[0].get("lastState", {}).values()]

    def holds(found: dict[str, Any]) -> bool:
        return reason in [each.get("reason") for each in states(found)]

    found = await_status(cluster, name, holds, f"to have {reason}")
    return next(each["message"] for each in states(found) if each.get("reason") == reason)


def seen(cluster: Cluster, name: str, *words: str) -> list[str]:
    """Return the mode of the filter on a program that `kubectl exec` runs in a pod."""
    command = ["exec", name, *words, "--", "grep", "Seccomp:", "/proc/self/status"]
    wait_until(lambda: not cluster.kubectl(*command).returncode, f"kubectl exec {name}")
    return cluster.must(*command).split()


def remove(cluster: Cluster, *names: str) -> None:
    """Delete pods, and wait until they are gone."""
    cluster.must("delete", "pod", "--now", *names)


def admits_pods(cluster: Cluster) -> bool:
    """Return whether the kubelet takes a pod of the RuntimeClass, which needs the node's label.

    The scheduler may know a new label before the kubelet itself, which then refuses the pod.
    """
    cluster.apply(pod("probe", container("web", "true"), restartPolicy="Never"))
    found = await_status(
        cluster, "probe", lambda each: each["phase"] in ("Succeeded", "Failed"), "to end"
    )
    remove(cluster, "probe")
    return bool(found["phase"] == "Succeeded")
