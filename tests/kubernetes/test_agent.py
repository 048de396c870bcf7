"""The manifests of `seclatch kubernetes manifest` at a real API server, and the node's agent there.

The agent runs on the node itself, with the account that its pod would have: there is no registry
for its image. Kubernetes 1.20 has no ValidatingAdmissionPolicy.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.engines.host import PrivateHost
from tests.engines.installing import Administrator
from tests.engines.test_pods import restart
from tests.kubernetes.cluster import NODE, Cluster
from tests.kubernetes.manifest import make_manifests
from tests.kubernetes.pods import (
    SLEEP,
    STRICT,
    await_ready,
    await_status,
    container,
    pod,
    remove,
    seen,
)

NAMESPACE, NAME = "seclatch-system", "node"
ACCOUNT = "/run/secrets/kubernetes.io/serviceaccount"  # /var/run is a link to /run
ADDRESS = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT_HTTPS": "443"}


@pytest.fixture
def manifests(cluster: Cluster, seclatch: Administrator, tmp_path: Path) -> list[dict[str, Any]]:
    """Apply the manifests of a DaemonSet, but for the policies; return them."""
    found = [
        each
        for each in make_manifests(seclatch, tmp_path)
        if not each["kind"].startswith("Validating")
    ]
    cluster.must("delete", "runtimeclass", "seclatch", "--ignore-not-found")  # another selector
    cluster.apply(*found)
    return found


@pytest.fixture
def account(cluster: Cluster, node: PrivateHost, manifests: list[dict[str, Any]]) -> None:
    """Put the token and the certificate of the agent's account where its pod would have them."""
    name = cluster.get("-n", NAMESPACE, "sa", NAME)["secrets"][0]["name"]
    data = cluster.get("-n", NAMESPACE, "secret", name)["data"]
    folder = node.path(ACCOUNT)
    folder.mkdir(parents=True, exist_ok=True)
    for each in ("token", "ca.crt"):
        (folder / each).write_bytes(base64.b64decode(data[each]))


def run_agent(seclatch: Administrator) -> dict[str, Any]:
    """Run one round, as the DaemonSet's command line, on a host without systemd."""
    words = ["node", "--once", "--json", "--install=containerd", "--no-restart"]
    done = seclatch(*words, f"--label={NODE}", env=ADDRESS)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[0])
    return {**found, "stderr": done.stderr}


def test_the_api_server_takes_them(cluster: Cluster, manifests: list[dict[str, Any]]) -> None:
    """The DaemonSet's pod comes to the node; there it waits for its image."""
    kinds = {each["kind"] for each in manifests}
    assert {"Namespace", "RuntimeClass", "DaemonSet", "ClusterRole"} <= kinds
    status = cluster.get("-n", NAMESPACE, "daemonset", NAME)["status"]
    assert status["desiredNumberScheduled"] == 1, status


def test_the_account_may_patch_nodes_and_no_more(
    cluster: Cluster, manifests: list[dict[str, Any]]
) -> None:
    user = f"--as=system:serviceaccount:{NAMESPACE}:{NAME}"

    def may(verb: str, what: str) -> str:
        resource, _, part = what.partition("/")
        words = ["auth", "can-i", verb, resource, f"--subresource={part}", user, "-n", NAMESPACE]
        return cluster.kubectl(*words).stdout.strip()

    assert may("patch", "nodes") == "yes"
    for verb, what in (
        ("get", "nodes"),
        ("update", "nodes"),
        ("patch", "nodes/status"),
        ("get", "secrets"),
        ("list", "pods"),
        ("create", "pods/exec"),
    ):
        assert may(verb, what) == "no", (verb, what)


def test_the_label_sends_pods_to_a_node_that_has_proved_the_latch(
    cluster: Cluster, seclatch: Administrator, account: None
) -> None:
    """A pod waits until then; the label goes when the engine is gone; the pod runs on."""
    seclatch.must("install", "containerd")  # as the agent does, without annotations
    restart(cluster.containerd, cluster.logs / "containerd.log")
    cluster.must("label", "node", NODE, "seclatch.io/latch-")
    cluster.apply(pod("sent", container("web", *SLEEP, profile=STRICT)))
    waiting = await_status(
        cluster, "sent", lambda found: "Unschedulable" in str(found.get("conditions")), "to wait"
    )
    assert waiting["phase"] == "Pending"
    done = run_agent(seclatch)
    assert (done["ready"], done["probed"], done["label"]) == (True, True, "set"), str(done)
    labels = cluster.get("node", NODE)["metadata"]["labels"]
    assert labels["seclatch.io/latch"] == "ready"
    remove(cluster, "sent")  # the kubelet may have refused it: see `admits_pods`
    cluster.apply(pod("later", container("web", *SLEEP, profile=STRICT)))
    await_ready(cluster, "later")
    assert seen(cluster, "later") == ["Seccomp:", "2"]
    cluster.containerd.daemon.stop()
    try:
        down = run_agent(seclatch)
        assert (down["ready"], down["label"]) == (False, "removed"), down
        assert "seclatch.io/latch" not in cluster.get("node", NODE)["metadata"]["labels"]
    finally:
        cluster.containerd.begin(cluster.logs / "containerd.log")
    assert run_agent(seclatch)["ready"]
    assert seen(cluster, "later") == ["Seccomp:", "2"]
    remove(cluster, "later")
    seclatch.must("install", "containerd", "--record-annotations")
    restart(cluster.containerd, cluster.logs / "containerd.log")
