"""Manifests: valid by the schemas of every version, with the rights and mounts that they say."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from seclatch.agent.node_label import LABEL
from seclatch.data import DATA
from seclatch.engines.services import recorder_service
from seclatch.fleet.kubernetes_manifest import (
    CAPABILITIES,
    READY_LABEL,
    ClusterWish,
    list_manifests,
    write_manifests,
)
from seclatch.fleet.profile_list import ListedProfile
from seclatch.model.recorder_limits import DIRECTORY
from seclatch.registry.reference import parse_reference
from seclatch.system.recorder_client import DEFAULT_SOCKET

DIGEST = f"sha256:{'ab' * 32}"
WISH = ClusterWish(
    image=f"registry.example/seclatch@{DIGEST}",
    key="-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
    profiles=(ListedProfile("web", parse_reference(f"registry.example/web@{DIGEST}")),),
    pull_secret="registry",
)
PROFILES = replace(WISH, install=False)
RECORDED = replace(WISH, record=True, recordings="registry.example/r")
FORMS = (PROFILES, replace(WISH, remove=True), RECORDED)
INSPECTED = replace(WISH, inspect=True)
_SCHEMAS = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"
VERSIONS = sorted({path.name.split(".")[1] for path in _SCHEMAS.glob("v1.*-local-strict")}, key=int)
OLDEST = 30
"""ValidatingAdmissionPolicy is v1 from there on."""


def documents(wish: ClusterWish = WISH) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(write_manifests(wish)))


def test_there_are_schemas_of_many_versions() -> None:
    assert len([minor for minor in VERSIONS if int(minor) >= OLDEST]) >= 5


@pytest.mark.parametrize("minor", [minor for minor in VERSIONS if int(minor) >= OLDEST])
def test_strict_schemas(minor: str) -> None:
    """All documents, and the DaemonSet in its other forms; the rest is the same in each."""
    sets = [one for wish in FORMS for one in documents(wish) if one["kind"] == "DaemonSet"]
    for document in [*documents(INSPECTED), *sets]:
        kubernetes_validate.validate(document, f"1.{minor}", strict=True)


def test_without_an_image_there_are_fewer_documents() -> None:
    assert all(one in documents() for one in documents(ClusterWish()))


def test_a_wrong_key_is_found() -> None:
    """The control."""
    document = next(one for one in documents() if one["kind"] == "DaemonSet")
    document["spec"]["template"]["spec"]["containers"][0]["imagee"] = "x"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(document, f"1.{VERSIONS[-1]}", strict=True)


def by_name(some: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(one["kind"], one["metadata"]["name"]): one for one in some}


def pod_of(wish: ClusterWish) -> dict[str, Any]:
    daemon_set = next(one for one in documents(wish) if one["kind"] == "DaemonSet")
    pod: dict[str, Any] = daemon_set["spec"]["template"]["spec"]
    return pod


def test_a_daemon_set_for_profiles_has_no_rights() -> None:
    """No role, no token, no capability, a read-only root; one directory of the host."""
    kinds = {one["kind"] for one in documents(PROFILES)}
    assert not kinds & {"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"}
    pod = pod_of(PROFILES)
    assert pod["automountServiceAccountToken"] is False
    assert not pod["hostPID"] and not {"hostNetwork", "hostIPC"} & set(pod)
    [container] = pod["containers"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    paths = [volume["hostPath"]["path"] for volume in pod["volumes"] if "hostPath" in volume]
    assert paths == ["/var/lib/kubelet/seccomp"]


def test_the_installing_daemon_set_has_one_right() -> None:
    """To patch nodes, and a token for it; three capabilities, not `privileged`."""
    roles = [one for one in documents() if one["kind"] in ("Role", "ClusterRole")]
    assert [one["rules"] for one in roles] == [
        [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["patch"]}]
    ]
    pod = pod_of(WISH)
    assert pod["automountServiceAccountToken"] and pod["hostPID"]
    assert not {"hostNetwork", "hostIPC"} & set(pod)
    context = pod["containers"][0]["securityContext"]
    assert context["capabilities"] == {"drop": ["ALL"], "add": list(CAPABILITIES)}
    assert context["readOnlyRootFilesystem"] and "privileged" not in context
    assert READY_LABEL == LABEL
    order = [(one["kind"], one["metadata"]["name"]) for one in documents()]
    binding = order.index(("ClusterRoleBinding", "seclatch-node"))
    assert order.index(("ValidatingAdmissionPolicyBinding", "seclatch-agent")) < binding


def test_recordings_add_a_container_with_its_own_rights() -> None:
    """The capabilities of the service; nothing more for the agent; not where it removes."""
    pod = pod_of(RECORDED)
    agent, recorder = pod["containers"]
    [plain] = pod_of(replace(RECORDED, record=False))["containers"]
    assert set(agent["args"]) - set(plain["args"]) == {"--record-annotations"}
    assert {**agent, "args": plain["args"]} == plain
    context = recorder["securityContext"]
    given = re.search(r"^CapabilityBoundingSet=(.*)$", recorder_service.TEMPLATE, re.MULTILINE)
    assert given and {f"CAP_{one}" for one in context["capabilities"]["add"]} == set(
        given[1].split()
    )
    assert context["capabilities"]["drop"] == ["ALL"] and "privileged" not in context
    assert context["readOnlyRootFilesystem"] and not context["allowPrivilegeEscalation"]
    volumes = {one["name"]: one["hostPath"] for one in pod["volumes"] if "hostPath" in one}
    seen = {volumes[one["name"]]["path"]: one["mountPath"] for one in recorder["volumeMounts"]}
    assert all(path == inside for path, inside in seen.items())
    directory = Path(DEFAULT_SOCKET).parent
    assert set(seen) == {str(directory), str(Path(DIRECTORY).parent)}
    assert len(pod_of(replace(RECORDED, remove=True))["containers"]) == 1


def test_removal_is_a_daemon_set_too() -> None:
    [container] = pod_of(replace(WISH, remove=True))["containers"]
    assert "--remove" in container["args"]
    assert not any("--profiles" in one for one in container["args"])


def test_inspection_is_bound_to_no_account() -> None:
    """Exec into it is root on the node: a Role, and who gets it is the administrator's choice."""
    added = [one for one in documents(INSPECTED) if one not in documents()]
    assert [one["kind"] for one in added] == ["Role", "DaemonSet"]
    role, daemon_set = added
    assert role["rules"][1] == {
        "apiGroups": [""],
        "resources": ["pods/exec"],
        "verbs": ["create", "get"],
    }
    assert all(one["metadata"]["namespace"] == "seclatch-system" for one in added)
    pod = daemon_set["spec"]["template"]["spec"]
    assert (pod["automountServiceAccountToken"], pod["hostPID"]) == (False, True)
    assert [one for one in documents() if "inspect" in str(one)] == []
    assert not list_inspected(ClusterWish(inspect=True))


def test_inspection_makes_nothing_on_a_host_that_changes_it() -> None:
    """A hostPath without a type becomes a directory where it is missing."""
    [daemon_set] = [one for one in documents(INSPECTED) if one["metadata"]["name"] == "inspect"]
    pod = daemon_set["spec"]["template"]["spec"]
    paths = [one["hostPath"] for one in pod["volumes"] if "hostPath" in one]
    assert {"path": "/etc/machine-id", "type": "File"} in paths
    assert not [one for one in paths if one["path"].endswith("/journal")]
    [container] = pod["containers"]
    mounts = {one["mountPath"]: one.get("readOnly") for one in container["volumeMounts"]}
    assert mounts["/var/log"] and mounts["/run/log"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    for path in ("/run", "/tmp"):
        assert path in mounts and not mounts[path]
    assert {"name": "XDG_CACHE_HOME", "value": "/tmp"} in container["env"]


def list_inspected(wish: ClusterWish) -> list[dict[str, Any]]:
    return [one for one in list_manifests(wish) if one["kind"] in ("Role", "DaemonSet")]


def test_the_plugin_looks_for_the_labels_and_the_container() -> None:
    [daemon_set] = [one for one in documents(INSPECTED) if one["metadata"]["name"] == "inspect"]
    labels = daemon_set["spec"]["template"]["metadata"]["labels"]
    plugin = (DATA / "kubectl-seclatch").read_text()
    assert f"labels={','.join(f'{key}={value}' for key, value in labels.items())}\n" in plugin
    [container] = daemon_set["spec"]["template"]["spec"]["containers"]
    assert f"--container={container['name']} " in plugin
    assert re.search(r"^agents=seclatch-system$", plugin, re.MULTILINE)
