"""The listings of kubernetes.md: a containerd whose drop-in replaces the section of CRI."""

from __future__ import annotations

import shutil
from functools import cache

from seclatch.runtime.find_latch import find_latch
from tests.engines.containerd import Containerd
from tests.engines.cri import Kubelet
from tests.engines.host import PrivateHost
from tests.engines.image import make_archive
from tests.engines.installing import Administrator
from tools.docs.lab import STRICT, Lab
from tools.docs.listings import fenced, maker

CONFIG = """\
version = 2
imports = ["/etc/containerd/conf.d/*.toml"]
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "registry.k8s.io/pause:3.10"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = true
"""
DROP_IN = """\
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "seclatch.test/pause:1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = true
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.nvidia]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.nvidia.options]
      BinaryName = "/usr/bin/nvidia-container-runtime"
"""


@cache
def make_listings(lab: Lab) -> dict[str, str]:
    """Install on a node, start a pod, try to uninstall; return the output of each."""
    host = PrivateHost().start()
    try:
        return run_node(lab, host)
    finally:
        host.close()


def run_node(lab: Lab, host: PrivateHost) -> dict[str, str]:
    """Do what the page does on a private host."""
    latches = lab.folder / "latches"
    latches.mkdir()
    for name in ("seclatch-runc", "seclatch-crun"):
        shutil.copy(find_latch("runc"), latches / name)
    seclatch = Administrator(host, latches)
    seclatch.write("/etc/containerd/config.toml", CONFIG)
    seclatch.write("/etc/containerd/conf.d/99-nvidia.toml", DROP_IN)
    shown = {"install": seclatch.must("install", "containerd")}
    # The tests' hosts have no systemd to make the pods' control groups.
    for path in ("/etc/containerd/config.toml", "/etc/containerd/conf.d/99-nvidia.toml"):
        file = host.path(path)
        file.write_text(file.read_text().replace("SystemdCgroup = true", "SystemdCgroup = false"))
    containerd = Containerd(host, {}, config="/etc/containerd/config.toml")
    containerd.begin(lab.folder / "containerd.log")
    pause = make_archive(
        lab.rootfs, lab.folder / "pause.tar", "seclatch.test/pause:1", ["/bin/sleep", "100000"]
    )
    socket = containerd.directory / "containerd.sock"
    for archive in (make_archive(lab.rootfs, lab.folder / "pods.tar"), pause):
        words = ["--address", socket, "--namespace", "k8s.io", "image", "import", archive]
        host.run("ctr", *words, check=True)
    kubelet = Kubelet(host.path(socket), host.group)
    pod = kubelet.run_pod("web", "seclatch", {})
    pod.start("/bin/sleep", "1000", profile=STRICT)
    shown["uninstall"] = seclatch("uninstall", "containerd").stderr
    pod.remove()
    kubelet.channel.close()
    containerd.stop()
    return shown


@maker("kubernetes-install")
def install(lab: Lab) -> str:
    """Show what installing changes."""
    return fenced("$ seclatch install containerd\n" + make_listings(lab)["install"])


@maker("kubernetes-uninstall")
def uninstall(lab: Lab) -> str:
    """Show that a pod keeps the latch installed."""
    return fenced("$ seclatch uninstall containerd\n" + make_listings(lab)["uninstall"])
