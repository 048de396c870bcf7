"""Manifests for `kubectl seclatch`: a pod on each node to run commands in, and the right to do so.

The pod is privileged and shares the host's processes: it reads filters from the kernel and starts
throwaway containers. So whoever may exec into it is root on every node, and that takes a Role which
no account has at first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

INSPECT_LABELS = {"app.kubernetes.io/name": "seclatch", "app.kubernetes.io/component": "inspect"}
_NAME = "seclatch-inspect"
_WORK = "/tmp"  # noqa: S108 (the container's own)
_RUN_MOUNT = {"name": "run", "mountPath": "/run"}
"""For the state of the throwaway containers' runtime; what is of the host is mounted below it."""
# Where the engines' sockets, the runtimes' states, the recordings and logs of the host are. What is
# missing is made as a directory: so not journald's own, whose presence has it keep logs over a
# reboot (journald.conf(5), Storage=auto), but those above.
_MACHINE = "/etc/machine-id"
_READ = (
    _MACHINE,
    "/run/containerd",
    "/run/log",
    "/var/lib/kubelet/seccomp",
    "/var/lib/seclatch",
    "/var/log",
)


def list_inspection(namespace: str, image: str, pull_secret: str) -> Iterator[dict[str, Any]]:
    """Yield the Role, which is to be bound to people, and the DaemonSet."""
    exec_ = {"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create", "get"]}
    find = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}
    metadata = {"name": _NAME, "namespace": namespace}
    yield {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": metadata,
        "rules": [find, exec_],
    }
    yield {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "inspect", "namespace": namespace},
        "spec": {
            "selector": {"matchLabels": INSPECT_LABELS},
            "template": {"metadata": {"labels": INSPECT_LABELS}, "spec": _pod(image, pull_secret)},
        },
    }


def _pod(image: str, pull_secret: str) -> dict[str, Any]:
    mounts = [
        {"name": f"host-{number}", "mountPath": path, "readOnly": path != "/run/containerd"}
        for number, path in enumerate(_READ)
    ]
    volumes: list[dict[str, Any]] = [
        {
            "name": f"host-{number}",
            "hostPath": {"path": path} | ({"type": "File"} if path == _MACHINE else {}),
        }
        for number, path in enumerate(_READ)
    ]
    container = {
        "name": "inspect",
        "image": image,
        "command": ["sleep", "infinity"],
        # for the root directory of throwaway containers: root's home is read-only
        "env": [{"name": "XDG_CACHE_HOME", "value": _WORK}],
        "securityContext": {
            "privileged": True,
            "runAsUser": 0,
            "readOnlyRootFilesystem": True,
        },
        "resources": {"requests": {"cpu": "1m", "memory": "16Mi"}, "limits": {"memory": "1Gi"}},
        "volumeMounts": [*mounts, {"name": "work", "mountPath": _WORK}, _RUN_MOUNT],
    }
    pod = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "hostPID": True,
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"operator": "Exists"}],
        "terminationGracePeriodSeconds": 1,
        "containers": [container],
        "volumes": [*volumes, {"name": "work", "emptyDir": {}}, {"name": "run", "emptyDir": {}}],
    }
    return pod | ({"imagePullSecrets": [{"name": pull_secret}]} if pull_secret else {})
