"""The admission policies, decided by kube-apiserver's own plugin (of k8s.io/apiserver 0.36)."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from tests.kubernetes.admission_requests import list_objects, make_review
from tests.kubernetes.conftest import PROGRAMS
from tests.unit.fleet.admission_cases import AGENT, CASES, AdmissionCase, make_node, make_pod

SCHEMAS = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"
MINORS = (30, 32, 34, 36)
DENIED = "seclatch/bank.web-0123456789ab.json"


def run(folder: Path, objects: list[dict[str, Any]], *words: str, lines: str = "") -> list[Any]:
    """Run the plugin with policies and namespaces; return the lines of JSON that it prints."""
    path = folder / "objects.json"
    path.write_text(json.dumps(objects))
    command = [Path(PROGRAMS) / "admission", "-objects", path, *words]
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def decide(
    folder: Path, cases: Sequence[AdmissionCase], objects: list[dict[str, Any]] | None = None
) -> list[dict[str, Any]]:
    """Return the plugin's response to each case."""
    lines = "".join(f"{json.dumps(make_review(case))}\n" for case in cases)
    answers = run(folder, list_objects() if objects is None else objects, lines=lines)
    assert len(answers) == len(cases)
    return [answer["response"] for answer in answers]


def find_wrong(cases: Sequence[AdmissionCase], answers: list[dict[str, Any]]) -> list[str]:
    """List the cases that were not decided as expected, or were denied by another policy."""
    wrong = []
    for case, answer in zip(cases, answers, strict=True):
        message = answer.get("status", {}).get("message", "")
        by = f"'{case.policy}' with binding '{case.policy}' denied request: "
        if answer["allowed"] is not case.admitted or (not case.admitted and by not in message):
            wrong.append(f"{case}: {answer}")
    return wrong


def test_the_cases_of_the_unit_tests(tmp_path: Path) -> None:
    assert find_wrong(CASES, decide(tmp_path, CASES)) == []


def test_without_bindings_nothing_is_denied(tmp_path: Path) -> None:
    """The control: the verdicts are the policies'."""
    objects = [one for one in list_objects() if not one["kind"].endswith("Binding")]
    assert all(answer["allowed"] for answer in decide(tmp_path, CASES, objects))


def _profile(name: str, admitted: bool, **fields: Any) -> AdmissionCase:
    fields = {"object": make_pod(DENIED), **fields}
    return AdmissionCase(name, "seclatch-profiles", admitted, **fields)


def _many(count: int, file: str) -> dict[str, Any]:
    profile = {"seccompProfile": {"type": "Localhost", "localhostProfile": file}}
    pod = make_pod()
    pod["spec"]["containers"] = [
        {"name": f"c{number}", "securityContext": profile} for number in range(count)
    ]
    return pod


_LABELS = {f"label{number}.example/{'x' * 60}": "y" * 63 for number in range(300)}
_READY = {**_LABELS, "seclatch.io/latch": "ready"}
# written before the answers of the plugin were seen
UNSEEN = (
    _profile("an old pod changes", True, operation="UPDATE", old=make_pod(DENIED)),
    _profile("status", True, operation="UPDATE", old=make_pod(), resource="pods/status"),
    _profile(
        "a debug container",
        False,
        object=make_pod(DENIED, "ephemeralContainers"),
        old=make_pod(),
        operation="UPDATE",
        resource="pods/ephemeralcontainers",
    ),
    _profile("removal", True, object={}, old=make_pod(DENIED), operation="DELETE"),
    # the plugin ends an expression that costs too much, and denies: not for a real pod
    _profile("500 containers", True, object=_many(500, "seclatch/shop.web-0123456789ab.json")),
    _profile("500 containers, long names", True, object=_many(500, "p/" * 120 + "x.json")),
    _profile("500 containers, one rule broken", False, object=_many(500, DENIED)),
    _profile("a line break", False, object=make_pod("seclatch/web-0123456789ab.json\n")),
    AdmissionCase(
        "300 labels",
        "seclatch-agent",
        True,
        make_node(labels=_READY),
        make_node(labels=_LABELS),
        namespace="",
        operation="UPDATE",
        user=AGENT,
        resource="nodes",
    ),
    AdmissionCase(
        "of 300 labels one other",
        "seclatch-agent",
        False,
        make_node(labels={**_READY, "label7.example/z": "y"}),
        make_node(labels=_LABELS),
        namespace="",
        operation="UPDATE",
        user=AGENT,
        resource="nodes",
    ),
)


def test_cases_that_the_policies_were_not_made_with(tmp_path: Path) -> None:
    assert find_wrong(UNSEEN, decide(tmp_path, UNSEEN)) == []


def write_schemas(folder: Path, minor: int) -> Path:
    """Write a version's definitions as OpenAPI has them: a type is one word, and none is null."""
    text = (SCHEMAS / f"v1.{minor}.0-local/_definitions.json").read_text()
    path = folder / "definitions.json"
    path.write_text(json.dumps(_simplify(json.loads(text)["$defs"])))
    return path


def _simplify(value: Any) -> Any:
    if isinstance(value, list):
        return [_simplify(one) for one in value]
    if not isinstance(value, dict):
        return value
    found = {name: _simplify(one) for name, one in value.items()}
    if isinstance(found.get("type"), list):
        [found["type"]] = [word for word in found["type"] if word != "null"]
    return found


@pytest.mark.parametrize("minor", MINORS)
def test_the_expressions_have_the_types_of_each_version(tmp_path: Path, minor: int) -> None:
    """What kube-apiserver would write into a policy's status: no warning."""
    found = run(tmp_path, list_objects(), "-types", str(write_schemas(tmp_path, minor)))
    assert len(found) == 5
    assert [each for each in found if each["warnings"]] == []


def test_a_mistyped_field_and_a_broken_expression_are_found(tmp_path: Path) -> None:
    """The control. A policy that cannot be compiled denies all that it matches."""
    text = json.dumps(list_objects())
    mistyped = json.loads(text.replace("object.spec.runtimeClassName", "object.spec.runtimeClas"))
    found = run(tmp_path, mistyped, "-types", str(write_schemas(tmp_path, MINORS[-1])))
    assert [each["policy"] for each in found if each["warnings"]] == ["seclatch-required"]
    broken = json.loads(text.replace("has(object.spec.runtimeClassName)", "has(object.spec"))
    cases = [case for case in CASES if case.policy == "seclatch-required"]
    assert not any(answer["allowed"] for answer in decide(tmp_path, cases, broken))
