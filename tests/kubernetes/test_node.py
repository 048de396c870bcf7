"""docs/kubernetes.md by a real kube-apiserver and kubelet: its manifests, as printed."""

from __future__ import annotations

import json
from typing import Any

from seclatch.model.recording.recording import Recording
from seclatch.recording.files import recording_file
from tests.docs.test_kubernetes import MANIFESTS
from tests.engines.host import PrivateHost, wait_until
from tests.engines.image import IMAGE
from tests.engines.installing import Administrator
from tests.kubernetes.cluster import NODE, Cluster
from tests.kubernetes.pods import (
    SLEEP,
    STRICT,
    await_ready,
    await_status,
    container,
    local,
    pod,
    remove,
    seen,
    status,
)

PAGE = [manifest for page, manifest in MANIFESTS if page == "kubernetes"]
DEFAULT = {"type": "RuntimeDefault"}


def printed(kind: str, index: int = 0) -> dict[str, Any]:
    """Return a manifest of the page; the test image stands for its images."""
    text = json.dumps([each for each in PAGE if each["kind"] == kind][index])
    found: dict[str, Any] = json.loads(text.replace("registry.example/web:1", IMAGE))
    found["metadata"].pop("namespace", None)
    for each in found["spec"]["containers"] if kind == "Pod" else []:
        each |= {"imagePullPolicy": "Never", "command": list(SLEEP)}
    return found


def test_a_pod_waits_for_a_node_with_the_latch(cluster: Cluster) -> None:
    cluster.must("label", "node", NODE, "seclatch.example/latch-", "seclatch.io/latch-")
    cluster.apply(printed("RuntimeClass"), pod("early", container("web", *SLEEP)))
    unschedulable = "Unschedulable"
    found = await_status(
        cluster,
        "early",
        lambda found: unschedulable in str(found.get("conditions")),
        "to be unschedulable",
    )
    assert found["phase"] == "Pending"
    remove(cluster, "early")


def test_the_pod_of_the_page(cluster: Cluster, seclatch: Administrator, labelled: None) -> None:
    """Its profile denies what runc needs; sessions and probes are latched, too."""
    described = printed("Pod")
    probe = {"exec": {"command": ["true"]}, "periodSeconds": 1}
    described["spec"]["containers"][0] |= {"readinessProbe": probe, "livenessProbe": probe}
    cluster.apply(described)
    await_ready(cluster, "web")
    assert seen(cluster, "web") == ["Seccomp:", "2"]
    listed = json.loads(seclatch.must("ps", "--json", "--flat", "--pod", "default/web/web"))
    assert [each["filters"] for each in listed["processes"]] == [1]
    profile = "/var/lib/kubelet/seccomp/profiles/web.json"
    against = seclatch.must("filter", "--pod", "default/web/web", "--against", profile)
    assert "byte for byte as runc compiles it" in against
    assert status(cluster, "web")["containerStatuses"][0]["restartCount"] == 0
    remove(cluster, "web")


def test_every_kind_of_container(cluster: Cluster, labelled: None) -> None:
    """Init, sidecar, hooks, shared process ids, and one under the engine's default."""
    hook = {"exec": {"command": ["true"]}}
    cluster.apply(
        pod(
            "kinds",
            container("web", *SLEEP, profile=STRICT, lifecycle={"postStart": hook}),
            container("side", *SLEEP, profile=STRICT),
            container("default", *SLEEP, securityContext={"seccompProfile": DEFAULT}),
            container("free", *SLEEP),
            initContainers=[container("first", "true", profile=STRICT)],
            shareProcessNamespace=True,
        )
    )
    await_ready(cluster, "kinds")
    for name, mode in (("web", "2"), ("side", "2"), ("default", "2"), ("free", "0")):
        assert seen(cluster, "kinds", "-c", name) == ["Seccomp:", mode]
    remove(cluster, "kinds")


def test_a_debug_container(cluster: Cluster, seclatch: Administrator, labelled: None) -> None:
    """It has the pod's profile, which denies what runc needs."""
    strict = {"runAsUser": 1000, "seccompProfile": local(STRICT)}
    cluster.apply(pod("broken", container("web", *SLEEP), securityContext=strict))
    await_ready(cluster, "broken")
    debug = container("debug", *SLEEP, targetContainerName="web", terminationMessagePolicy="File")
    wish = {
        "apiVersion": "v1",
        "kind": "EphemeralContainers",
        "metadata": {"name": "broken"},
        "ephemeralContainers": [debug],
    }
    place = "/api/v1/namespaces/default/pods/broken/ephemeralcontainers"
    cluster.must("replace", "--raw", place, "-f", "-", input=json.dumps(wish))
    states = "ephemeralContainerStatuses"
    await_status(
        cluster, "broken", lambda each: "running" in str(each.get(states)), "to be debugged"
    )
    assert seen(cluster, "broken", "-c", "debug") == ["Seccomp:", "2"]
    found = json.loads(seclatch.must("ps", "--json", "--flat", "--pod", "default/broken/debug"))
    assert len(found["processes"]) == 1
    remove(cluster, "broken")


def test_recordings_of_a_pod(cluster: Cluster, node: PrivateHost, labelled: None) -> None:
    """The page's annotation: one a container, with names; probes are sessions."""
    described = printed("Pod", 1)
    described["metadata"]["name"] = "recorded"
    [web] = described["spec"]["containers"]
    web["livenessProbe"] = {"exec": {"command": ["cat", "/etc/passwd"]}, "periodSeconds": 1}
    described["spec"]["initContainers"] = [container("first", "ls", "/")]
    cluster.apply(described)
    await_ready(cluster, "recorded")

    def sessions(name: str) -> list[bool]:
        found = recordings(node).get(f"default/recorded/{name}")
        return [each.joined for each in found.sessions] if found else []

    wait_until(lambda: any(sessions("web")), "a probe in the recording", 120)
    remove(cluster, "recorded")
    assert set(recordings(node)) == {"default/recorded/first", "default/recorded/web"}
    assert sessions("first") == [False]


def recordings(node: PrivateHost) -> dict[str, Recording]:
    """Read the node's recordings by the name of their container."""
    paths = node.path("/var/lib/seclatch/recordings").glob("web-*.json.gz")
    found = [recording_file.read_recording(path) for path in paths]
    return {str(each.containers[0].pod): each for each in found}
