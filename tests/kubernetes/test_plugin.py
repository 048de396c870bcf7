"""`kubectl seclatch` by real kubectls, and the DaemonSet of `--inspect`, at a real API server."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.engines.engine import Done
from tests.engines.host import wait_until
from tests.engines.installing import Administrator
from tests.kubernetes.cluster import DIRECTORY, Cluster
from tests.kubernetes.inspection import Workstation, adapt, grant, make_inspect_image
from tests.kubernetes.manifest import make_manifests
from tests.kubernetes.pods import SLEEP, STRICT, await_ready, await_reason, container, pod, remove

AGENTS = "seclatch-system"
KUBECTLS = ("kubectl", "kubectl-bookworm", "kubectl-sid")
DENIED = "while :; do mkdir /tmp/new; sleep 0.2; done"


@pytest.fixture(scope="module")
def agents(
    cluster: Cluster, seclatch: Administrator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Apply the manifest's DaemonSet and Role; wait for the pod."""
    folder = tmp_path_factory.mktemp("inspect")
    socket = cluster.containerd.directory / "containerd.sock"
    archive = make_inspect_image(folder)
    words = ["--address", socket, "--namespace", "k8s.io", "image", "import", archive]
    cluster.host.run("ctr", *words, check=True)
    manifests = make_manifests(seclatch, folder, "--inspect")
    wanted = {("Namespace", AGENTS), ("Role", "seclatch-inspect"), ("DaemonSet", "inspect")}
    found = {(one["kind"], one["metadata"]["name"]): one for one in manifests}
    adapt(found["DaemonSet", "inspect"], cluster.containerd.directory, cluster.logs)
    cluster.apply(*(one for key, one in found.items() if key in wanted))

    def running() -> bool:
        status = cluster.get("-n", AGENTS, "daemonset", "inspect")["status"]
        return bool(status.get("numberReady"))

    wait_until(running, "the DaemonSet `inspect`", 120)
    plugin = seclatch.must("kubernetes", "plugin")
    for name in KUBECTLS:
        Workstation(cluster, name).install(plugin)
    yield
    cluster.must("-n", AGENTS, "delete", "daemonset", "inspect")


@pytest.fixture(scope="module")
def kubectl(cluster: Cluster, agents: None) -> Workstation:
    return Workstation(cluster)


@pytest.fixture
def web(cluster: Cluster, labelled: None) -> Iterator[str]:
    """Provide a latched pod whose program keeps being denied a call."""
    cluster.apply(pod("web", container("app", "sh", "-c", DENIED, profile=STRICT)))
    await_ready(cluster, "web")
    yield "web/app"
    remove(cluster, "web")


def succeeded(done: Done) -> str:
    assert done.returncode == 0, f"{done.stderr}{done.stdout}"
    return done.stdout


@pytest.mark.parametrize("name", KUBECTLS)
def test_ps_and_record(cluster: Cluster, agents: None, web: str, name: str) -> None:
    """By kubectl 1.20, 1.32 and the newest: which filters there are, and a recording."""
    kubectl = Workstation(cluster, name)
    listed = json.loads(succeeded(kubectl("ps", web, "--json", "--flat")))
    assert {each["filters"] for each in listed["processes"]} == {1}
    path = DIRECTORY / f"{name}.json"
    done = kubectl("record", "-n", "default", web, "--seconds", "2", "-o", str(path))
    assert done.returncode == 0, done.stderr
    recording = json.loads(cluster.host.path(path).read_text())
    assert "mkdir" in json.dumps(recording)


def test_watch(kubectl: Workstation, web: str) -> None:
    text = succeeded(kubectl("watch", web, "--seconds", "3"))
    assert "mkdir" in text


def test_explain_a_pod_that_does_not_start(cluster: Cluster, kubectl: Workstation) -> None:
    strict = container("web", *SLEEP, profile=STRICT)
    cluster.apply(pod("bare", strict, handler=None, restartPolicy="Never"))
    await_reason(cluster, "bare", "StartError")
    done = kubectl("explain", "bare")
    text = f"{done.stderr}{done.stdout}"
    assert "default/bare/web: runc could not start the program" in text
    assert "a RuntimeClass with `handler: seclatch`" in text
    remove(cluster, "bare")


def test_explain_a_profile_that_is_not_there(cluster: Cluster, kubectl: Workstation) -> None:
    missing = container("web", *SLEEP, profile="profiles/none.json")
    cluster.apply(pod("missing", missing, handler=None))
    await_reason(cluster, "missing", "CreateContainerError")
    log = cluster.logs / "containerd.log"  # without journald here, and mounted
    done = kubectl("explain", "missing", "--log", str(log))
    assert "/var/lib/kubelet/seccomp/profiles/none.json" in f"{done.stderr}{done.stdout}"
    remove(cluster, "missing")


def test_users_and_their_rights(cluster: Cluster, kubectl: Workstation, web: str) -> None:
    """Reading the pod and the Role are needed both; an error says which one is missing."""
    cluster.must("create", "role", "pod-reader", "--verb=get", "--resource=pods")
    reader, inspect = ("default", "pod-reader"), (AGENTS, "seclatch-inspect")
    grant(cluster, "alice", reader, inspect)
    grant(cluster, "bob", inspect)
    grant(cluster, "carol", reader)
    alice = Workstation(cluster, user="alice")
    assert json.loads(succeeded(alice("ps", web, "--json")))["processes"]
    bob = Workstation(cluster, user="bob")("ps", web)
    assert bob.returncode == 125 and "reading pod default/web failed" in bob.stderr
    assert 'User "bob" cannot get resource "pods"' in bob.stderr
    carol = Workstation(cluster, user="carol")("ps", web)
    assert carol.returncode == 125 and "the Role seclatch-inspect" in carol.stderr
    # the Role is for one namespace
    words = ["auth", "can-i", "create", "pods", "--subresource=exec", "--as=alice"]
    assert cluster.kubectl(*words).stdout.strip() == "no"


def test_a_node_without_an_agent(cluster: Cluster, kubectl: Workstation, web: str) -> None:
    done = kubectl("--agent-namespace", "default", "ps", web)
    assert done.returncode == 125
    assert "has no agent in namespace default" in done.stderr
    gone = kubectl("ps", "nonesuch")
    assert gone.returncode == 125 and 'pods "nonesuch" not found' in gone.stderr
