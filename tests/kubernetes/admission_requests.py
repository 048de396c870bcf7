"""The manifest's policies, and requests as kube-apiserver sends them to its admission plugins."""

from __future__ import annotations

from typing import Any

from tests.unit.fleet.admission_cases import NAMESPACES, USER, AdmissionCase
from tests.unit.fleet.test_kubernetes_manifest import documents

_KINDS = {"pods": "Pod", "nodes": "Node"}


def list_objects() -> list[dict[str, Any]]:
    """List the policies and bindings of the manifest, and the cases' namespaces."""
    policies = [one for one in documents() if one["kind"].startswith("Validating")]
    return [*policies, *(_namespace(*each) for each in NAMESPACES.items())]


def _namespace(name: str, labels: dict[str, str]) -> dict[str, Any]:
    own = {**labels, "kubernetes.io/metadata.name": name}  # the API server adds it
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": own}}


def make_review(case: AdmissionCase) -> dict[str, Any]:
    """Write a case as an AdmissionReview."""
    resource, _, part = case.resource.partition("/")
    kind = _KINDS[resource]
    described = {**case.object, "metadata": {"namespace": case.namespace, **_metadata(case.object)}}
    old = case.old and {
        **case.old,
        "metadata": {"namespace": case.namespace, **_metadata(case.old)},
    }
    request = {
        "uid": str(case),
        "kind": {"group": "", "version": "v1", "kind": kind},
        "resource": {"group": "", "version": "v1", "resource": resource},
        "subResource": part,
        "namespace": case.namespace,
        "name": _metadata(case.object or case.old or {}).get("name", ""),
        "operation": case.operation,
        "userInfo": case.user or USER,
        "object": described if case.object else None,
        "oldObject": old,
    }
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}


def _metadata(described: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = described.get("metadata", {})
    return found
