"""Pods that a real kubelet cannot start, and what `seclatch explain` says of them on the node."""

from __future__ import annotations

from tests.engines.host import wait_until
from tests.engines.installing import Administrator
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.pods import SLEEP, STRICT, await_reason, container, pod, remove


def explain(seclatch: Administrator, name: str, *words: str) -> str:
    """Return the text that `explain --pod` writes."""
    done = seclatch("explain", "--pod", f"default/{name}", *words)
    return f"{done.stderr}{done.stdout}status {done.returncode}"


def test_the_bare_runtime_cannot_start_it(cluster: Cluster, seclatch: Administrator) -> None:
    strict = container("web", *SLEEP, profile=STRICT)
    cluster.apply(pod("bare", strict, handler=None, restartPolicy="Never"))
    message = await_reason(cluster, "bare", "StartError")
    assert "ensure /proc/self/fd is on procfs: operation not permitted" in message
    text = explain(seclatch, "bare")
    assert text.startswith("seccomp: default/bare/web: runc could not start the program")
    assert "a RuntimeClass with `handler: seclatch`" in text
    remove(cluster, "bare")


def test_a_profile_that_is_not_there(cluster: Cluster, seclatch: Administrator) -> None:
    web = container("web", *SLEEP, profile="profiles/none.json")
    cluster.apply(pod("missing", web, handler=None))
    await_reason(cluster, "missing", "CreateContainerError")
    text = explain(seclatch, "missing", "--log", str(cluster.logs / "containerd.log"))
    assert "/var/lib/kubelet/seccomp/profiles/none.json" in text
    remove(cluster, "missing")


def test_a_handler_that_is_not_there(cluster: Cluster, seclatch: Administrator) -> None:
    other = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "handler": "nonesuch"}
    cluster.apply(
        {**other, "metadata": {"name": "other"}},
        pod("handler", container("web", *SLEEP), handler="other"),
    )
    events = ("get", "events", "--field-selector", "involvedObject.name=handler")
    refusal = 'no runtime for "nonesuch" is configured'
    wait_until(lambda: refusal in cluster.must(*events), "the kubelet's event")
    assert "has no container of pod default/handler" in explain(seclatch, "handler")
    remove(cluster, "handler")


def test_a_program_that_a_profile_denies_a_call(
    cluster: Cluster, seclatch: Administrator, labelled: None
) -> None:
    """In a crash loop, the start succeeds: the answer says how to see the program's own calls."""
    web = container("web", "mkdir", "/tmp/new", profile=STRICT)
    cluster.apply(pod("loop", web))
    await_reason(cluster, "loop", "CrashLoopBackOff")
    assert "seclatch explain --next --name web" in explain(seclatch, "loop")
    remove(cluster, "loop")


def test_the_next_container_that_fails(
    cluster: Cluster, seclatch: Administrator, labelled: None
) -> None:
    """`explain --next`, while the kubelet starts the container."""
    cluster.apply(pod("next", container("web", "mkdir", "/tmp/new", profile=STRICT)))
    done = seclatch("explain", "--next", "--name", "default/next/web", timeout=180)
    assert "mkdir was denied mkdir" in done.stdout, done.stderr
    remove(cluster, "next")
