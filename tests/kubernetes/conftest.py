"""A real cluster for the session: see `make test-kubernetes`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.test_kubernetes import MANIFESTS
from tests.engines.conftest import image, image_root, latch
from tests.engines.containerd import Containerd
from tests.engines.host import PrivateHost, wait_until
from tests.engines.image import make_archive
from tests.engines.installing import STRICT, Administrator
from tests.engines.node_recorder import install_recorder
from tests.engines.test_pods import PAUSE
from tests.kubernetes.cluster import NODE, Cluster
from tests.kubernetes.pods import admits_pods

# `make test-kubernetes` builds the programs and sets their directory (__main__.py).
PROGRAMS = os.environ.get("SECLATCH_KUBERNETES", "")
collect_ignore_glob = [] if PROGRAMS else ["test_*.py"]

RUNTIME_CLASS = "kubernetes", "RuntimeClass"
SOCKET = "/run/containerd/containerd.sock"
CONFIG = "/etc/containerd/config.toml"
TEXT = """\
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
"""


@pytest.fixture(scope="session")
def node() -> Iterator[PrivateHost]:
    """Provide a private host with a network of its own."""
    host = PrivateHost(network=True).start()
    yield host
    host.close()


@pytest.fixture(scope="session")
def seclatch(
    node: PrivateHost, latch: Path, tmp_path_factory: pytest.TempPathFactory
) -> Administrator:
    """Provide `seclatch` on the node, as its administrator runs it."""
    folder = tmp_path_factory.mktemp("latches")
    shutil.copy(latch, folder / "seclatch-runc")
    return Administrator(node, folder)


@pytest.fixture(scope="session")
def cluster(
    node: PrivateHost,
    seclatch: Administrator,
    image: Path,
    image_root: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Cluster]:
    """Provide a cluster whose node has the latch installed as docs/kubernetes.md says."""
    programs = Path(PROGRAMS)
    logs = tmp_path_factory.mktemp("logs")
    seclatch.write(CONFIG, TEXT.format(pause=PAUSE, plugins=programs / "cni"))
    install_recorder(seclatch, "containerd")
    containerd = Containerd(node, {}, config=CONFIG).begin(logs / "containerd.log")
    pause = make_archive(image_root, logs / "pause.tar", PAUSE, ["/bin/sleep", "100000"])
    for archive in (image, pause):
        socket = containerd.directory / "containerd.sock"
        words = ["--address", socket, "--namespace", "k8s.io", "image", "import", archive]
        node.run("ctr", *words, check=True)
    profiles = node.path("/var/lib/kubelet/seccomp/profiles")
    profiles.mkdir(parents=True)
    for name in ("strict.json", "web.json"):
        shutil.copy(STRICT, profiles / name)
    node.run("mkdir", "-p", str(Path(SOCKET).parent), check=True)
    node.run("ln", "-s", containerd.directory / "containerd.sock", SOCKET, check=True)
    cluster = Cluster(node, programs, containerd, logs).start()
    yield cluster
    cluster.stop()
    containerd.stop()


@pytest.fixture
def labelled(cluster: Cluster) -> None:
    """Provide the page's RuntimeClass and the label of its nodes."""
    [described] = [each for page, each in MANIFESTS if (page, each["kind"]) == RUNTIME_CLASS]
    cluster.apply(described)
    [label] = described["scheduling"]["nodeSelector"].items()
    if label not in cluster.get("node", NODE)["metadata"]["labels"].items():
        cluster.must("label", "--overwrite", "node", NODE, "=".join(label))
        wait_until(lambda: admits_pods(cluster), "the kubelet to see its label", 60)


__all__ = ["image", "image_root", "latch"]
