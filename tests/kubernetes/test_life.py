"""Restarts, churn and removal on a node of a real cluster, with pods alive."""

from __future__ import annotations

from tests.engines.installing import Administrator
from tests.engines.test_pods import restart
from tests.kubernetes.cluster import NODE, Cluster
from tests.kubernetes.pods import (
    SLEEP,
    STRICT,
    await_ready,
    await_status,
    container,
    pod,
    remove,
    seen,
    status,
)

CHURN = 30


def test_kubelet_and_containerd_restarted(cluster: Cluster, labelled: None) -> None:
    """A pod runs on under its filter, with its probe; new ones start."""
    probe = {"exec": {"command": ["true"]}, "periodSeconds": 1}
    cluster.apply(pod("alive", container("web", *SLEEP, profile=STRICT, livenessProbe=probe)))
    await_ready(cluster, "alive")
    restart(cluster.containerd, cluster.logs / "containerd.log")
    cluster.restart_kubelet()
    assert seen(cluster, "alive") == ["Seccomp:", "2"]
    cluster.apply(pod("later", container("web", *SLEEP, profile=STRICT)))
    await_ready(cluster, "later")
    assert status(cluster, "alive")["containerStatuses"][0]["restartCount"] == 0
    remove(cluster, "alive", "later")


def test_churn(cluster: Cluster, labelled: None) -> None:
    """Many short pods at a time: each ran to its end, under the profile."""
    seen_by = container("web", "grep", "-q", "Seccomp:.2", "/proc/self/status", profile=STRICT)
    names = [f"churn-{number}" for number in range(CHURN)]
    cluster.apply(*(pod(name, seen_by, restartPolicy="Never") for name in names))
    for name in names:
        found = await_status(
            cluster, name, lambda each: each["phase"] in ("Succeeded", "Failed"), "to end"
        )
        assert found["phase"] == "Succeeded", found
    remove(cluster, *names)


def test_removal(cluster: Cluster, seclatch: Administrator, labelled: None) -> None:
    """Uninstalling is refused while a pod needs the latch; after `kubectl drain` it is done."""
    cluster.apply(pod("needs", container("web", *SLEEP, profile=STRICT)))
    await_ready(cluster, "needs")
    refused = seclatch("uninstall", "containerd")
    assert refused.returncode == 125
    assert "pod default/needs (pid " in refused.stderr
    drain = (
        "drain",
        NODE,
        "--force",
        "--ignore-daemonsets",
        "--grace-period=1",
        "--delete-emptydir-data",
    )
    try:
        cluster.must(*drain, timeout=180)
        seclatch.must("uninstall", "containerd")
        seclatch.must("install", "containerd", "--record-annotations")
    finally:
        cluster.must("uncordon", NODE)
