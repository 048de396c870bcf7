"""Manifests for a cluster: RuntimeClass, policies, and the DaemonSet that brings profiles.

Plain YAML of Kubernetes' own kinds; no CRD, no controller, no webhook. The DaemonSet's account has
no rights at the API and no token: kubelet mounts what it reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from seclatch.fleet.admission_policies import list_policies
from seclatch.fleet.profile_list import ListedProfile, write_profile_list

NAMESPACE = "seclatch-system"
READY_LABEL = "seclatch.io/latch"
_CONFIGURATION = "/etc/seclatch"
_SECCOMP = "/var/lib/kubelet/seccomp"
_LABELS = {"app.kubernetes.io/name": "seclatch", "app.kubernetes.io/component": "node"}


@dataclass(frozen=True, slots=True)
class ClusterWish:
    """What the manifests are made of; without an `image` there is no DaemonSet."""

    image: str = ""
    key: str = ""
    profiles: tuple[ListedProfile, ...] = ()
    pull_secret: str = ""


def write_manifests(wish: ClusterWish) -> str:
    """Return all documents as YAML, in the order in which they can be applied."""
    documents = list(list_manifests(wish))
    text = yaml.safe_dump_all(documents, sort_keys=False, width=1000, explicit_start=True)
    return f"# Written by seclatch kubernetes manifest.\n{text}"


def list_manifests(wish: ClusterWish) -> Iterator[dict[str, Any]]:
    """Yield the documents."""
    yield _make(
        "v1",
        "Namespace",
        NAMESPACE,
        # a hostPath is not permitted below this level
        labels={f"pod-security.kubernetes.io/{mode}": "privileged" for mode in ("enforce", "warn")},
    )
    yield _make(
        "node.k8s.io/v1",
        "RuntimeClass",
        "seclatch",
        handler="seclatch",
        scheduling={"nodeSelector": {READY_LABEL: "ready"}},
    )
    if wish.image:
        yield _make("v1", "ServiceAccount", "node", inside=True, automountServiceAccountToken=False)
        data = {"profiles.list": write_profile_list(wish.profiles), "key.pub": wish.key}
        yield _make("v1", "ConfigMap", "node", inside=True, data=data)
        yield _make("apps/v1", "DaemonSet", "node", inside=True, spec=_daemon_set(wish))
    yield from list_policies()


def _make(
    version: str,
    kind: str,
    name: str,
    *,
    inside: bool = False,
    labels: dict[str, str] | None = None,
    **more: Any,
) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name}
    metadata |= {"namespace": NAMESPACE} if inside else {}
    metadata |= {"labels": labels} if labels else {}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **more}


def _daemon_set(wish: ClusterWish) -> dict[str, Any]:
    return {
        "selector": {"matchLabels": _LABELS},
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "10%"}},
        "template": {"metadata": {"labels": _LABELS}, "spec": _pod(wish)},
    }


def _pod(wish: ClusterWish) -> dict[str, Any]:
    volumes: list[dict[str, Any]] = [
        {"name": "seccomp", "hostPath": {"path": _SECCOMP, "type": "DirectoryOrCreate"}},
        {"name": "configuration", "configMap": {"name": "node"}},
    ]
    if wish.pull_secret:
        items = [{"key": ".dockerconfigjson", "path": "auth.json"}]
        secret = {"secretName": wish.pull_secret, "items": items, "defaultMode": 0o400}
        volumes.append({"name": "credentials", "secret": secret})
    pod: dict[str, Any] = {
        "serviceAccountName": "node",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "priorityClassName": "system-node-critical",  # pods wait for profiles
        "tolerations": [{"operator": "Exists"}],
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [_container(wish)],
        "volumes": volumes,
    }
    return pod | ({"imagePullSecrets": [{"name": wish.pull_secret}]} if wish.pull_secret else {})


def _container(wish: ClusterWish) -> dict[str, Any]:
    mounts: list[dict[str, Any]] = [
        {"name": "seccomp", "mountPath": _SECCOMP},
        {"name": "configuration", "mountPath": _CONFIGURATION, "readOnly": True},
    ]
    args = [
        "node",
        f"--profiles={_CONFIGURATION}/profiles.list",
        f"--key={_CONFIGURATION}/key.pub",
        f"--seccomp-dir={_SECCOMP}",
        "--every=1min",
        "--json",
    ]
    if wish.pull_secret:
        mounts.append({"name": "credentials", "mountPath": "/run/credentials", "readOnly": True})
        args.append("--auth-file=/run/credentials/auth.json")
    return {
        "name": "node",
        "image": wish.image,
        "args": args,
        # root, since kubelet's directory is root's; with no capability, on a read-only root
        "securityContext": {
            "runAsUser": 0,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "resources": {
            "requests": {"cpu": "10m", "memory": "64Mi"},
            "limits": {"memory": "192Mi"},
        },
        "volumeMounts": mounts,
    }
