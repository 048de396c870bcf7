"""Requests to the API server, and whether the policies of the manifest admit them.

Judged twice: by a CEL interpreter in the unit tests, and by the plugin of kube-apiserver itself in
`make test-kubernetes`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.unit.fleet import running_annotations

NAMESPACES: dict[str, dict[str, str]] = {
    "shop": {},
    "open": {"seclatch.io/record": "allowed"},
    "closed": {"seclatch.io/record": "denied"},
    "other": {"other": "allowed"},
    "latched": {"seclatch.io/require": "latched"},
    **running_annotations.NAMESPACES,
}
"""Each namespace's labels."""

LISTS = ("containers", "initContainers", "ephemeralContainers")
USER = {"username": "bob"}
AGENT = {
    "username": "system:serviceaccount:seclatch-system:node",
    "extra": {"authentication.kubernetes.io/node-name": ["n1"]},
}
OTHER_NODE = {**AGENT, "extra": {"authentication.kubernetes.io/node-name": ["n2"]}}


@dataclass(frozen=True)
class AdmissionCase:
    """A request; `policy` is the one that denies it, or that nearly does."""

    name: str
    policy: str
    admitted: bool
    object: dict[str, Any]
    old: dict[str, Any] | None = None
    namespace: str = "shop"
    operation: str = "CREATE"
    user: dict[str, Any] | None = None
    resource: str = "pods"

    def __str__(self) -> str:
        return f"{self.policy}-{self.name}"


def make_pod(file: str | None = None, where: str = "pod", **metadata: Any) -> dict[str, Any]:
    """Describe a pod with a profile of its own or of its second container in a list."""
    profile = {"type": "Localhost", "localhostProfile": file}
    secured = {"securityContext": {"seccompProfile": profile} if file else {}}
    spec: dict[str, Any] = {"containers": [{"name": "a"}, {"name": "b"}]}
    if where == "pod":
        spec |= secured
    else:
        spec[where] = [{"name": "a"}, {"name": "b", **secured}]
    found = {"name": "x", **metadata}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": found, "spec": spec}


FILES = (
    (None, True),
    ("profiles/own.json", True),
    ("notseclatch/x.json", True),
    ("seclatch/web-0123456789ab.json", True),
    ("seclatch/shop.web-0123456789ab.json", True),
    ("seclatch/bank.web-0123456789ab.json", False),
    ("./seclatch/bank.web-0123456789ab.json", False),
    ("seclatch/./bank.web-0123456789ab.json", False),
    ("seclatch//bank.web-0123456789ab.json", False),
    ("seclatch/shop.web/../bank.web-0123456789ab.json", False),
    ("seclatch/shopxweb.json", False),
    ("seclatch/web.json", False),
)
PROFILE_CASES = [
    AdmissionCase(f"{where} {file}", "seclatch-profiles", admitted, make_pod(file, where))
    for where in ("pod", *LISTS)
    for file, admitted in FILES
]

ANNOTATIONS: tuple[tuple[dict[str, str], str, bool], ...] = (
    ({}, "shop", True),
    ({"other": "x"}, "shop", True),
    ({"seclatch.record": "x"}, "shop", False),
    ({"seclatch.record.web": "x"}, "other", False),
    ({"seclatch.record": "x"}, "closed", False),
    ({"seclatch.record": "x"}, "open", True),
)


def _recording_cases() -> list[AdmissionCase]:
    cases = []
    for asked, namespace, admitted in ANNOTATIONS:
        pod = make_pod(**({"annotations": asked} if asked else {}))
        for operation, old, expected in (
            ("CREATE", None, admitted),
            ("UPDATE", make_pod(), admitted),
            ("UPDATE", pod, admitted or bool(asked)),
        ):
            name = f"{operation} {asked} in {namespace}{' again' * (old == pod)}"
            policy = "seclatch-recordings"
            cases.append(AdmissionCase(name, policy, expected, pod, old, namespace, operation))
    return cases


RECORDING_CASES = _recording_cases()


def _running_cases() -> Iterator[AdmissionCase]:
    """Yield creations and changes; what a pod from before the policy has may stay."""
    policy = "seclatch-running"
    other = make_pod(annotations={"seclatch.running": "other"})
    for asked, namespace, admitted in running_annotations.RUNNING:
        pod = make_pod(**({"annotations": asked} if asked else {}))
        name = f"{asked} in {namespace}"
        yield AdmissionCase(name, policy, admitted, pod, None, namespace)
        yield AdmissionCase(f"now {name}", policy, admitted, pod, other, namespace, "UPDATE")
        yield AdmissionCase(f"still {name}", policy, True, pod, pod, namespace, "UPDATE")


RUNNING_CASES = [*_running_cases()]


def _with_class(name: str | None) -> dict[str, Any]:
    pod = make_pod()
    pod["spec"] |= {"runtimeClassName": name} if name else {}
    return pod


REQUIRED_CASES = [
    AdmissionCase(str(name), "seclatch-required", admitted, _with_class(name), None, "latched")
    for name, admitted in ((None, False), ("runc", False), ("seclatch", True))
]

LABELS = {"zone": "a", "seclatch.io/other": "x"}
READY = {"labels": {**LABELS, "seclatch.io/latch": "ready"}}
_METADATA = {"name": "n1", "labels": LABELS, "annotations": {"a": "b"}}


def make_node(spec: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    """Return the node with other metadata; None removes a field."""
    kept = {name: value for name, value in {**_METADATA, **metadata}.items() if value is not None}
    found = {"podCIDR": "10.0.0.0/24", **(spec or {})}
    return {"apiVersion": "v1", "kind": "Node", "metadata": kept, "spec": found}


_OWNER = {"apiVersion": "v1", "kind": "Pod", "name": "x", "uid": "1"}
_PRIVILEGED = {**LABELS, "node-role.kubernetes.io/control-plane": ""}
_TAINTS = [{"key": "x", "effect": "NoSchedule"}]
_CHANGES: tuple[tuple[str, dict[str, Any], dict[str, Any], bool], ...] = (
    ("sets its label", make_node(**READY), AGENT, True),
    ("changes nothing", make_node(), AGENT, True),
    (
        "removes a label",
        make_node(labels={"zone": "a", "seclatch.io/latch": "ready"}),
        AGENT,
        False,
    ),
    ("another value", make_node(labels={**LABELS, "seclatch.io/latch": "x"}), AGENT, False),
    ("another label", make_node(labels={**LABELS, "zone": "b"}), AGENT, False),
    ("a role", make_node(labels=_PRIVILEGED), AGENT, False),
    ("removes all labels", make_node(labels=None), AGENT, False),
    ("another node", make_node(name="n2", **READY), AGENT, False),
    ("a token of another node", make_node(**READY), OTHER_NODE, False),
    ("an annotation", make_node(annotations={"a": "c"}, **READY), AGENT, False),
    ("removes annotations", make_node(annotations=None, **READY), AGENT, False),
    ("a finalizer", make_node(finalizers=["x.io/y"], **READY), AGENT, False),
    ("an owner", make_node(ownerReferences=[_OWNER], **READY), AGENT, False),
    ("cordons", make_node({"unschedulable": True}, **READY), AGENT, False),
    ("a taint", make_node({"taints": _TAINTS}, **READY), AGENT, False),
    # a token that is bound to no pod, as `kubectl create token` makes it
    ("an unbound token", make_node(**READY), {"username": AGENT["username"]}, False),
    (
        "a token without a node",
        make_node(**READY),
        {"username": AGENT["username"], "extra": {"x": ["y"]}},
        False,
    ),
    # others are not concerned
    ("a kubelet", make_node(labels={}), {"username": "system:node:n1"}, True),
)


def _node_cases() -> list[AdmissionCase]:
    policy = "seclatch-agent"
    fixed: dict[str, Any] = {"namespace": "", "operation": "UPDATE", "resource": "nodes"}
    cases = [
        AdmissionCase(
            name,
            policy,
            admitted,
            node,
            make_node(name=node["metadata"]["name"]),
            user=user,
            **fixed,
        )
        for name, node, user, admitted in _CHANGES
    ]
    ready = {"old": make_node(**READY), "user": AGENT, **fixed}
    cases.append(AdmissionCase("removes its label", policy, True, make_node(), **ready))
    gone = make_node(labels={"zone": "a"})
    cases.append(AdmissionCase("removes another label", policy, False, gone, **ready))
    return cases


NODE_CASES = _node_cases()
CASES = [*PROFILE_CASES, *RECORDING_CASES, *RUNNING_CASES, *REQUIRED_CASES, *NODE_CASES]
