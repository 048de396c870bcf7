"""ValidatingAdmissionPolicies: rules for namespaces on profiles, recordings and the latch.

In CEL, evaluated by the API server itself (GA in Kubernetes 1.30). Each rule holds for all lists of
containers: one for each, since they are of two types.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from seclatch.fleet.running_policy import RUNNING_CHANGED, list_running_rules

RECORD_LABEL = "seclatch.io/record"
REQUIRE_LABEL = "seclatch.io/require"
_VERSION = "admissionregistration.k8s.io/v1"
_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
_ANY = "(^|/)seclatch/"
"""Also `./seclatch/…`, which kubelet opens as the same file."""

_NAME = "[a-z0-9-]+-[0-9a-f]{12}[.]json$"


def list_policies() -> Iterator[dict[str, Any]]:
    """Yield each policy for namespaces, and its binding."""
    # what a pod's containers are under is immutable; ephemeral ones come later
    created = [_operations("CREATE", "pods"), _operations("UPDATE", "pods/ephemeralcontainers")]
    yield from _policy("seclatch-profiles", created, list(_profile_rules()))
    changed = [_operations("CREATE", "pods"), _operations("UPDATE", "pods")]
    yield from _policy(
        "seclatch-recordings", changed, [_recording_rule()], condition=("new", _UNRECORDED)
    )
    rules = list(list_running_rules())
    yield from _policy("seclatch-running", changed, rules, condition=("new", RUNNING_CHANGED))
    # not for updates: a pod from before the label must still be able to lose its finalizers
    yield from _policy(
        "seclatch-required",
        [_operations("CREATE", "pods")],
        [_required_rule()],
        namespaces={REQUIRE_LABEL: "latched"},
    )


def list_agent_policies(account: str, label: str) -> Iterator[dict[str, Any]]:
    """Yield the policy that holds the agent's account to its own node and its own label.

    The role permits `patch` of all nodes, since roles know no names that differ by node. The token
    says on which node its pod is (GA in Kubernetes 1.32, on by default from 1.30).
    """
    yield from _policy(
        "seclatch-agent",
        [_operations("UPDATE", "nodes")],
        list(_agent_rules(label)),
        condition=("agent", f"request.userInfo.username == '{account}'"),
    )


def _agent_rules(label: str) -> Iterator[dict[str, str]]:
    yield {
        "expression": (
            f"has(request.userInfo.extra) && '{_EXTRA_NODE}' in request.userInfo.extra && "
            f"request.userInfo.extra['{_EXTRA_NODE}'] == [object.metadata.name]"
        ),
        "message": "the agent of a node may change that node alone",
    }
    yield {
        "expression": "object.spec == oldObject.spec",
        "message": "the agent may not change a node's spec",
    }
    message = f"the agent may change the label {label} alone"
    for one, other in (("object", "oldObject"), ("oldObject", "object")):
        labels, others = f"{one}.metadata.labels", f"{other}.metadata.labels"
        yield {
            "expression": (
                f"!has({labels}) || {labels}.all(k, k == '{label}' || "
                f"(has({others}) && k in {others} && {others}[k] == {labels}[k]))"
            ),
            "message": message,
        }
    yield {
        "expression": f"!has(object.metadata.labels) || !('{label}' in object.metadata.labels) || "
        f"object.metadata.labels['{label}'] == 'ready'",
        "message": message,
    }
    for field in ("annotations", "finalizers", "ownerReferences"):
        now, before = f"object.metadata.{field}", f"oldObject.metadata.{field}"
        yield {
            "expression": f"has({now}) == has({before}) && (!has({now}) || {now} == {before})",
            "message": f"the agent may not change a node's {field}",
        }


_EXTRA_NODE = "authentication.kubernetes.io/node-name"

_UNRECORDED = (
    "request.operation == 'CREATE' || !has(oldObject.metadata.annotations) || "
    "!oldObject.metadata.annotations.exists(k, k.startsWith('seclatch.record'))"
)
"""A pod that has the annotation was admitted with it, or is from before the policy."""


def _profile_rules() -> Iterator[dict[str, str]]:
    """Keep `seclatch/NAMESPACE.NAME-….json` to its namespace; names without a dot are for all."""
    message = "a profile NAMESPACE.NAME of seclatch/ is for that namespace alone"
    yield {"expression": _own_profile("object.spec"), "message": message}
    for name in _CONTAINERS:
        some = f"object.spec.{name}"
        expression = f"!has({some}) || {some}.all(c, {_own_profile('c')})"
        yield {"expression": expression, "message": message}


def _own_profile(owner: str) -> str:
    context = f"{owner}.securityContext"
    profile = f"{context}.seccompProfile"
    file = f"{profile}.localhostProfile"
    return (
        f"!has({context}) || !has({profile}) || !has({file}) || !{file}.matches('{_ANY}') || "
        f"{file}.matches('^seclatch/{_NAME}') || "
        f"{file}.matches('^seclatch/' + request.namespace + '[.]{_NAME}')"
    )


def _recording_rule() -> dict[str, str]:
    """Require the namespace's permission: a recording is a file of root's on the node."""
    return {
        "expression": (
            "!has(object.metadata.annotations) || "
            "!object.metadata.annotations.exists(k, k.startsWith('seclatch.record')) || "
            "(has(namespaceObject.metadata.labels) && "
            f"'{RECORD_LABEL}' in namespaceObject.metadata.labels && "
            f"namespaceObject.metadata.labels['{RECORD_LABEL}'] == 'allowed')"
        ),
        "message": f"only pods of namespaces with {RECORD_LABEL}=allowed may be recorded",
    }


def _required_rule() -> dict[str, str]:
    return {
        "expression": (
            "has(object.spec.runtimeClassName) && object.spec.runtimeClassName == 'seclatch'"
        ),
        "message": f"namespaces with {REQUIRE_LABEL}=latched need runtimeClassName: seclatch",
    }


def _operations(operation: str, resource: str) -> dict[str, Any]:
    return {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": [operation],
        "resources": [resource],
    }


def _policy(
    name: str,
    matched: list[dict[str, Any]],
    validations: list[dict[str, str]],
    *,
    namespaces: dict[str, str] | None = None,
    condition: tuple[str, str] | None = None,
) -> Iterator[dict[str, Any]]:
    conditions: dict[str, Any] = {}
    if condition:
        conditions["matchConditions"] = [{"name": condition[0], "expression": condition[1]}]
    yield {
        "apiVersion": _VERSION,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": matched},
            **conditions,
            "validations": validations,
        },
    }
    binding: dict[str, Any] = {"policyName": name, "validationActions": ["Deny"]}
    if namespaces:
        binding["matchResources"] = {"namespaceSelector": {"matchLabels": namespaces}}
    yield {
        "apiVersion": _VERSION,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": binding,
    }
