"""The policies decide as they say, by a CEL interpreter in place of the API server's."""

from __future__ import annotations

from typing import Any

import celpy
import pytest
from celpy.adapter import json_to_cel

from tests.unit.fleet.admission_cases import CASES, NAMESPACES, USER, AdmissionCase
from tests.unit.fleet.test_kubernetes_manifest import documents


def admit(case: AdmissionCase) -> bool:
    """Evaluate the expressions of the case's policy; its binding selects the namespace."""
    spec = next(
        one["spec"]
        for one in documents()
        if one["kind"] == "ValidatingAdmissionPolicy" and one["metadata"]["name"] == case.policy
    )
    user = case.user or USER
    request = {"namespace": case.namespace, "operation": case.operation, "userInfo": user}
    metadata: dict[str, Any] = {"name": case.namespace, "labels": NAMESPACES.get(case.namespace)}
    kept = {name: value for name, value in metadata.items() if value}
    context = {
        "object": case.object,
        "oldObject": case.old or {},
        "request": request,
        "namespaceObject": {"metadata": kept},
    }
    values = {name: json_to_cel(value) for name, value in context.items()}
    for condition in spec.get("matchConditions", []):
        if not evaluate(condition["expression"], values):
            return True
    return all(evaluate(one["expression"], values) for one in spec["validations"])


def evaluate(expression: str, values: dict[str, Any]) -> bool:
    environment = celpy.Environment()
    return bool(environment.program(environment.compile(expression)).evaluate(values))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_request(case: AdmissionCase) -> None:
    assert admit(case) is case.admitted
