"""Manifests for a cluster: RuntimeClass, policies, and the DaemonSet that runs `seclatch node`.

Plain YAML of Kubernetes' own kinds; no CRD, no controller, no webhook. The DaemonSet's account may
label its own node. Where it brings profiles alone, it has no rights at the API and no token.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from seclatch.fleet.admission_policies import list_agent_policies, list_policies
from seclatch.fleet.inspect_daemonset import list_inspection
from seclatch.fleet.profile_list import ListedProfile, write_profile_list
from seclatch.fleet.recorder_container import list_recorder_volumes, make_recorder

NAMESPACE = "seclatch-system"
READY_LABEL = "seclatch.io/latch"
_ACCOUNT = f"system:serviceaccount:{NAMESPACE}:node"
_CONFIGURATION = "/etc/seclatch"
_HOST = "/host"
CAPABILITIES = ("SYS_ADMIN", "SYS_CHROOT", "SYS_PTRACE")
"""To enter the namespaces of the host's process 1, for ctr and systemctl (setns(2)); and to see
which containers need the latch before it is removed."""
_SECCOMP = "/var/lib/kubelet/seccomp"
_LABELS = {"app.kubernetes.io/name": "seclatch", "app.kubernetes.io/component": "node"}


@dataclass(frozen=True, slots=True)
class ClusterWish:
    """What the manifests are made of; without an `image` there is no DaemonSet.

    `install`: the DaemonSet installs the latch, and not only profiles; `remove`: it undoes that.
    `record`: annotated containers are recorded; `recordings` is the repository to which counts are
    pushed.
    `inspect`: a further DaemonSet, for `kubectl seclatch`.
    """

    image: str = ""
    key: str = ""
    profiles: tuple[ListedProfile, ...] = ()
    pull_secret: str = ""
    install: bool = True
    remove: bool = False
    record: bool = False
    recordings: str = ""
    inspect: bool = False


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
        if wish.install:
            yield from _list_rights()
        data = {"profiles.list": write_profile_list(wish.profiles), "key.pub": wish.key}
        yield _make("v1", "ConfigMap", "node", inside=True, data=data)
        yield _make("apps/v1", "DaemonSet", "node", inside=True, spec=_daemon_set(wish))
    if wish.image and wish.inspect:
        yield from list_inspection(NAMESPACE, wish.image, wish.pull_secret)
    yield from list_policies()


def _list_rights() -> Iterator[dict[str, Any]]:
    """Yield the agent's one right, to patch nodes, and the policy that holds it to its own."""
    rule = {"apiGroups": [""], "resources": ["nodes"], "verbs": ["patch"]}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "seclatch-node"}
    subject = {"kind": "ServiceAccount", "name": "node", "namespace": NAMESPACE}
    # the policy first: there is no moment in which the right is wider
    yield from list_agent_policies(_ACCOUNT, READY_LABEL)
    yield _make("rbac.authorization.k8s.io/v1", "ClusterRole", "seclatch-node", rules=[rule])
    yield _make(
        "rbac.authorization.k8s.io/v1",
        "ClusterRoleBinding",
        "seclatch-node",
        roleRef=role,
        subjects=[subject],
    )


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
    volumes: list[dict[str, Any]] = [{"name": "configuration", "configMap": {"name": "node"}}]
    if wish.install:
        volumes.append({"name": "host", "hostPath": {"path": "/", "type": "Directory"}})
    else:
        seccomp = {"path": _SECCOMP, "type": "DirectoryOrCreate"}
        volumes.append({"name": "seccomp", "hostPath": seccomp})
    volumes += list_recorder_volumes() if _has_recorder(wish) else []
    if wish.pull_secret:
        items = [{"key": ".dockerconfigjson", "path": "auth.json"}]
        secret = {"secretName": wish.pull_secret, "items": items, "defaultMode": 0o400}
        volumes.append({"name": "credentials", "secret": secret})
    pod: dict[str, Any] = {
        "serviceAccountName": "node",
        "automountServiceAccountToken": wish.install,
        "enableServiceLinks": False,
        "hostPID": wish.install,
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "priorityClassName": "system-node-critical",  # pods wait for profiles
        "tolerations": [{"operator": "Exists"}],
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            _container(wish),
            *([make_recorder(wish.image)] if _has_recorder(wish) else []),
        ],
        "volumes": volumes,
    }
    return pod | ({"imagePullSecrets": [{"name": wish.pull_secret}]} if wish.pull_secret else {})


def _has_recorder(wish: ClusterWish) -> bool:
    return wish.record and wish.install and not wish.remove


def _container(wish: ClusterWish) -> dict[str, Any]:
    mounts: list[dict[str, Any]] = [
        {"name": "configuration", "mountPath": _CONFIGURATION, "readOnly": True},
    ]
    if wish.install:
        # what is mounted on the host later (a restarted /run/containerd) is seen here, too
        host = {"name": "host", "mountPath": _HOST, "mountPropagation": "HostToContainer"}
        mounts.append(host)
    else:
        mounts.append({"name": "seccomp", "mountPath": _SECCOMP})
    if wish.pull_secret:
        mounts.append({"name": "credentials", "mountPath": "/run/credentials", "readOnly": True})
    node = {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}
    return {
        "name": "node",
        "image": wish.image,
        "args": _list_arguments(wish),
        **({"env": [node]} if wish.install else {}),
        "securityContext": _container_rights(wish),
        "resources": {
            "requests": {"cpu": "10m", "memory": "64Mi"},
            "limits": {"memory": "192Mi"},
        },
        "volumeMounts": mounts,
    }


def _container_rights(wish: ClusterWish) -> dict[str, Any]:
    """Return root on a read-only root, with three capabilities or none.

    Either way: who takes over an agent that installs the latch has the node.
    """
    rights: dict[str, Any] = {
        "runAsUser": 0,
        "allowPrivilegeEscalation": wish.install,  # it cannot be false with CAP_SYS_ADMIN
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    if wish.install:
        rights["capabilities"]["add"] = list(CAPABILITIES)
        # the engines' profile and type forbid to look at process 1, and to write to the host
        rights["appArmorProfile"] = {"type": "Unconfined"}
        rights["seLinuxOptions"] = {"type": "spc_t"}
    return rights


def _list_arguments(wish: ClusterWish) -> list[str]:
    words = ["node"]
    if wish.install:
        words += [f"--root={_HOST}", "--install=containerd", "--label=$(NODE_NAME)"]
    if wish.remove:
        return [*words, "--remove", "--every=1min"]
    words += ["--record-annotations"] if _has_recorder(wish) else []
    words += [
        f"--profiles={_CONFIGURATION}/profiles.list",
        f"--key={_CONFIGURATION}/key.pub",
        f"--seccomp-dir={_SECCOMP}",
        "--every=1min",
        "--json",
    ]
    words += [f"--ship={wish.recordings}"] if wish.recordings else []
    words += ["--auth-file=/run/credentials/auth.json"] if wish.pull_secret else []
    return words
