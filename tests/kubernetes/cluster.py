"""A cluster of one node: etcd, Kubernetes' own programs, and a containerd, in a private host.

The host has a network namespace of its own, so nothing outside can reach the cluster, nor can it
reach anything. Pods find the API at its service's address by one rule of iptables in place of
kube-proxy.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.engines.containerd import Containerd
from tests.engines.engine import Daemon, Done
from tests.engines.host import PrivateHost, wait_until

NODE = "node1"
ADDRESS = "10.99.0.1"
SERVICES = "10.96.0.0/24"
API = f"https://{ADDRESS}:6443"
DIRECTORY = Path("/run/kubernetes")
MASTER, KUBELET = "admin-token", "kubelet-token"
USERS = ("alice", "bob", "carol")
"""Users without any rights at first; each has a token of the same name."""

TOKENS = (
    f"{MASTER},admin,admin,system:masters\n{KUBELET},system:node:{NODE},node,system:nodes\n"
    + "".join(f"{user},{user},{user}\n" for user in USERS)
)
NETWORK = f"""
set -e
ip link set lo up
ip link add name node0 type bridge
ip address add {ADDRESS}/24 dev node0
ip link set node0 up
ip route add default dev node0
for chain in OUTPUT PREROUTING; do
  iptables -t nat -A $chain -d 10.96.0.1 -p tcp --dport 443 -j DNAT --to {ADDRESS}:6443
done
"""
CNI = {
    "cniVersion": "0.4.0",
    "name": "pods",
    "plugins": [
        {
            "type": "ptp",
            "ipam": {
                "type": "host-local",
                "subnet": "10.98.0.0/24",
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        }
    ],
}
KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{{name: c, cluster: {{server: "{api}", insecure-skip-tls-verify: true}}}}]
users: [{{name: u, user: {{token: {token}}}}}]
contexts: [{{name: x, context: {{cluster: c, user: u}}}}]
current-context: x
"""


@dataclass
class Cluster:
    """A running cluster; `programs` is the directory of `make_binaries`."""

    host: PrivateHost
    programs: Path
    containerd: Containerd
    logs: Path
    daemons: dict[str, Daemon] = field(default_factory=dict)

    def start(self) -> Cluster:
        """Start everything but containerd, which runs; wait until the node is ready."""
        self.host.run("sh", "-c", NETWORK, check=True)
        for hierarchy in Path("/sys/fs/cgroup").iterdir():  # as systemd makes a node's slices
            if (hierarchy / "cgroup.procs").exists():
                (hierarchy / self.host.group).mkdir(exist_ok=True)
        self._write_files()
        self._spawn("etcd", *_etcd())
        self._spawn("kube-apiserver", *_apiserver())
        self.daemons["kube-apiserver"].await_ready([*self._kubectl(), "get", "--raw", "/readyz"])
        self._spawn("kube-controller-manager", *_controllers())
        self._spawn("kube-scheduler", *_scheduler())
        self.start_kubelet()
        return self

    def start_kubelet(self) -> None:
        """Start the kubelet; wait until the node is ready and the default account is there."""
        socket = self.containerd.directory / "containerd.sock"
        self._spawn("kubelet", *_kubelet(socket, self.host.group))
        wait_until(self._ready, f"the node to be ready (logs: {self.logs})", 120)

    def restart_kubelet(self) -> None:
        """End the kubelet and start it again; its containers run on."""
        self.daemons["kubelet"].stop()
        self.start_kubelet()

    def kubectl(self, *words: str, input: str | None = None, timeout: float = 60) -> Done:
        """Run kubectl as the cluster's administrator."""
        return self.host.run(*self._kubectl(), *words, input=input, timeout=timeout)

    def must(self, *words: str, input: str | None = None, timeout: float = 60) -> str:
        """Run kubectl; raise when it fails."""
        done = self.kubectl(*words, input=input, timeout=timeout)
        assert done.returncode == 0, f"kubectl {' '.join(words)}: {done.stderr}"
        return done.stdout

    def apply(self, *objects: dict[str, Any]) -> None:
        """Apply objects."""
        items = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.must("apply", "--validate=false", "-f", "-", input=json.dumps(items))

    def get(self, *words: str) -> dict[str, Any]:
        """Return an object or a list as kubectl prints it in JSON."""
        found: dict[str, Any] = json.loads(self.must("get", *words, "-o", "json"))
        return found

    def stop(self) -> None:
        """End the programs, the newest first."""
        while self.daemons:
            self.daemons.popitem()[1].stop()

    def _ready(self) -> bool:
        conditions = 'jsonpath={.status.conditions[?(@.type=="Ready")].status}'
        node = self.kubectl("get", "node", NODE, "-o", conditions)
        return node.stdout == "True" and not self.kubectl("get", "sa", "default").returncode

    def _kubectl(self) -> list[str | Path]:
        return [self.programs / "kubectl", "--kubeconfig", DIRECTORY / "admin.conf"]

    def _spawn(self, name: str, *words: str | Path) -> None:
        log = self.logs / f"{name}.log"
        self.daemons[name] = Daemon(
            self.host, self.host.spawn(self.programs / name, *words, log=log), log
        )

    def _write_files(self) -> None:
        folder = self.host.path(DIRECTORY)
        folder.mkdir()
        (folder / "tokens.csv").write_text(TOKENS)
        users = ((user, user) for user in USERS)
        for name, token in (("admin", MASTER), ("kubelet", KUBELET), *users):
            (folder / f"{name}.conf").write_text(KUBECONFIG.format(api=API, token=token))
        key = folder / "service-account.key"
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        network = self.host.path("/etc/cni/net.d/10-pods.conflist")
        network.parent.mkdir(parents=True, exist_ok=True)
        network.write_text(json.dumps(CNI))


def _etcd() -> Sequence[str]:
    client, peer = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
    return (
        f"--data-dir={DIRECTORY}/etcd",
        "--unsafe-no-fsync",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
    )


def _apiserver() -> Sequence[str]:
    key = f"{DIRECTORY}/service-account.key"
    return (
        "--etcd-servers=http://127.0.0.1:2379",
        f"--advertise-address={ADDRESS}",
        f"--cert-dir={DIRECTORY}/certificates",
        f"--service-cluster-ip-range={SERVICES}",
        f"--token-auth-file={DIRECTORY}/tokens.csv",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        f"--service-account-issuer={API}",
        f"--service-account-signing-key-file={key}",
        f"--service-account-key-file={key}",
        "--kubelet-preferred-address-types=InternalIP",
        "--allow-privileged=true",
        "--feature-gates=EphemeralContainers=true",
    )


def _controllers() -> Sequence[str]:
    return (
        f"--kubeconfig={DIRECTORY}/admin.conf",
        f"--service-account-private-key-file={DIRECTORY}/service-account.key",
        f"--root-ca-file={DIRECTORY}/certificates/apiserver.crt",
        "--use-service-account-credentials=true",
        "--leader-elect=false",
    )


def _scheduler() -> Sequence[str]:
    return f"--kubeconfig={DIRECTORY}/admin.conf", "--leader-elect=false"


def _kubelet(socket: Path, group: str) -> Sequence[str]:
    return (
        f"--kubeconfig={DIRECTORY}/kubelet.conf",
        "--container-runtime=remote",
        f"--container-runtime-endpoint=unix://{socket}",
        f"--hostname-override={NODE}",
        f"--node-ip={ADDRESS}",
        f"--cert-dir={DIRECTORY}/kubelet-certificates",
        "--fail-swap-on=false",
        f"--cgroup-root=/{group}",
        "--enforce-node-allocatable=",
        "--anonymous-auth=true",
        "--authorization-mode=AlwaysAllow",
        "--eviction-hard=",
        "--image-gc-high-threshold=100",
        "--feature-gates=EphemeralContainers=true",
        "--make-iptables-util-chains=false",
    )
