"""Install for a real containerd, at the host's own paths."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.engines.conftest import require
from tests.engines.containerd import Containerd
from tests.engines.host import ENVIRONMENT, PrivateHost
from tests.engines.installing import SEEN, STRICT, Administrator
from tests.engines.test_doctor import examine

CONFIG = "/etc/containerd/config.toml"
WRAPPER = "/usr/local/sbin/containerd"
FRONT = "/usr/local/lib/seclatch/containerd/runc"

# As packaged by Debian, and as in kubeadm's instructions.
DEBIAN = """\
version = 2

[plugins]
  [plugins."io.containerd.grpc.v1.cri"]
    [plugins."io.containerd.grpc.v1.cri".cni]
      bin_dir = "/usr/lib/cni"
      conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.internal.v1.opt"]
    path = "/var/lib/containerd/opt"
"""
KUBEADM = """\
version = 2 # of this file
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
    SystemdCgroup = true # as kubelet
"""

TEXTS = {"none": None, "empty": "", "debian": DEBIAN, "kubeadm": KUBEADM}

IMPORTING = KUBEADM.replace("\n", '\nimports = ["/etc/containerd/conf.d/*.toml"]\n', 1)
# As NVIDIA's toolkit writes it. On containerd 1.x its section replaces the one of config.toml.
NVIDIA = "/etc/containerd/conf.d/99-nvidia.toml"
TOOLKIT = """\
version = 2
[plugins]
  [plugins."io.containerd.grpc.v1.cri"]
    restrict_oom_score_adj = true
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = true
        NoNewKeyring = true
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.nvidia]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.nvidia.options]
        BinaryName = "/usr/bin/nvidia-container-runtime"
"""


def cri(host: PrivateHost) -> dict[str, Any]:
    """Return the CRI plugin's configuration as containerd itself reads the file."""
    done = host.run("containerd", "--config", CONFIG, "config", "dump", check=True)
    plugins: dict[str, dict[str, Any]] = tomllib.loads(done.stdout)["plugins"]
    # containerd 2 reads the older section and dumps it under the name of its successor.
    newer = plugins.get("io.containerd.cri.v1.runtime", {})
    found: dict[str, Any] = {**plugins.get("io.containerd.grpc.v1.cri", {}), **newer}["containerd"]
    return found


def start(host: PrivateHost, image: Path, log: Path) -> Containerd:
    containerd = Containerd(host, {}, config=CONFIG).begin(log)
    containerd.load(image)
    return containerd


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("default", [False, True], ids=["", "default"])
def test_daemon_starts_with_both_handlers_and_undoing_is_exact(
    own_host: PrivateHost,
    seclatch: Administrator,
    image: Path,
    tmp_path: Path,
    text: str | None,
    default: bool,
) -> None:
    require(*Containerd.programs)
    if text is None:
        own_host.path(CONFIG).unlink(missing_ok=True)
    else:
        seclatch.write(CONFIG, text)
    before = seclatch.tree()
    words = ["install", "containerd", *(["--default"] if default else [])]
    seclatch.must(*words)
    assert seclatch.plan(*words)["steps"] == []

    read = cri(own_host)
    assert read["default_runtime_name"] == ("seclatch" if default else "runc")
    assert read["runtimes"]["runc"]["runtime_type"] == "io.containerd.runc.v2"
    options = read["runtimes"]["seclatch"]["options"]
    assert options["BinaryName"] == FRONT
    assert options.get("SystemdCgroup", False) == (text == KUBEADM)

    containerd = start(own_host, image, tmp_path / "containerd.log")
    plugins = [line.split() for line in containerd.must("plugin", "ls").splitlines()]
    state = next(words[-1] for words in plugins if words[:2] == ["io.containerd.grpc.v1", "cri"])
    assert state == "ok", (tmp_path / "containerd.log").read_text()
    done = containerd.run(*SEEN, runtime=FRONT, profile=STRICT)
    assert (done.returncode, done.stdout.split()) == (0, ["Seccomp:", "2"]), done.stderr
    containerd.stop()

    seclatch.must("uninstall", "containerd")
    assert seclatch.tree() == before


def test_a_drop_in_that_replaces_the_cri_section(
    own_host: PrivateHost, seclatch: Administrator
) -> None:
    require(*Containerd.programs)
    seclatch.write(CONFIG, IMPORTING)
    seclatch.write(NVIDIA, TOOLKIT)
    before, read = seclatch.tree(), cri(own_host)
    for _ in range(3):
        seclatch.must("install", "containerd")
        rows = cri(own_host)["runtimes"]
        ours = rows.pop("seclatch")
        assert rows == read["runtimes"]
        # containerd 2.x dumps a value for each option of its built-in handler.
        beside = {key: value for key, value in rows["runc"]["options"].items() if value}
        assert ours["options"] == {**beside, "BinaryName": FRONT}
        assert ours["options"]["SystemdCgroup"] and ours["options"]["NoNewKeyring"]
        assert seclatch.plan("install", "containerd")["steps"] == []
        seclatch.must("uninstall", "containerd")
        assert seclatch.tree() == before


def test_a_drop_in_that_comes_later_is_found_by_doctor_and_by_the_next_install(
    own_host: PrivateHost, seclatch: Administrator
) -> None:
    require(*Containerd.programs)
    seclatch.write(CONFIG, IMPORTING)
    seclatch.must("install", "containerd")
    seclatch.write(NVIDIA, TOOLKIT)
    merged = "seclatch" in cri(own_host)["runtimes"]  # containerd 2.x
    check = examine(seclatch)["runtime handler (containerd)"]
    assert check["state"] == ("ok" if merged else "fail")
    assert merged or "seclatch install containerd" in check["remedy"]
    seclatch.must("install", "containerd")
    assert cri(own_host)["runtimes"]["seclatch"]["options"]["BinaryName"] == FRONT
    assert examine(seclatch)["runtime handler (containerd)"]["state"] == "ok"
    seclatch.must("uninstall", "containerd")
    assert own_host.path(CONFIG).read_text() == IMPORTING
    assert own_host.path(NVIDIA).read_text() == TOOLKIT


def test_doctor_reports_a_daemon_that_was_not_restarted(
    own_host: PrivateHost, seclatch: Administrator, tmp_path: Path
) -> None:
    require(*Containerd.programs)
    seclatch.write(CONFIG, KUBEADM)
    containerd = Containerd(own_host, {}, config=CONFIG).begin(tmp_path / "before.log")
    address = f"{containerd.directory}/containerd.sock"
    seclatch.must("install", "containerd")
    check = examine(seclatch, CONTAINERD_ADDRESS=address)["configuration (containerd)"]
    assert check["state"] == "note"
    assert "restart containerd" in check["remedy"]
    containerd.daemon.stop()
    containerd.begin(tmp_path / "after.log")
    found = examine(seclatch, CONTAINERD_ADDRESS=address)
    assert "configuration (containerd)" not in found
    assert found["runtime handler (containerd)"]["state"] == "ok"
    containerd.stop()


def test_what_containerd_does_not_confirm_is_undone(
    own_host: PrivateHost, seclatch: Administrator
) -> None:
    """As with distributions of Kubernetes whose `containerd` has a configuration of its own."""
    require(*Containerd.programs)
    seclatch.write(CONFIG, KUBEADM)
    seclatch.write("/etc/other/config.toml", KUBEADM)
    wrapper = '#!/bin/sh\n[ "$1" != --config ] || shift 2\n'
    real = shutil.which("containerd", path=ENVIRONMENT["PATH"])
    seclatch.write(WRAPPER, f'{wrapper}exec {real} --config /etc/other/config.toml "$@"\n')
    own_host.path(WRAPPER).chmod(0o755)
    before = seclatch.tree()
    done = seclatch("install", "containerd")
    assert done.returncode != 0
    assert "config dump`: there is no handler seclatch" in done.stderr
    assert seclatch.tree() == before


def test_a_configuration_that_containerd_does_not_read_is_left_alone(
    own_host: PrivateHost, seclatch: Administrator
) -> None:
    require(*Containerd.programs)
    seclatch.write(CONFIG, KUBEADM.replace("\n", "\nroot = 7\n", 1))
    before = seclatch.tree()
    done = seclatch("install", "containerd")
    assert done.returncode != 0
    assert "config dump`: " in done.stderr
    assert "nothing has been changed" in done.stderr
    assert seclatch.tree() == before


@pytest.mark.parametrize("runtime", ["runc", "crun"])
def test_ctr_runs_through_the_latch_what_the_bare_runtime_cannot(
    own_host: PrivateHost, seclatch: Administrator, image: Path, tmp_path: Path, runtime: str
) -> None:
    require(*Containerd.programs, runtime)
    seclatch.must("install", "containerd", "--runtime", runtime)
    front = f"/usr/local/lib/seclatch/containerd/{runtime}"
    containerd = start(own_host, image, tmp_path / "containerd.log")
    assert containerd.run(*SEEN, runtime=f"/usr/bin/{runtime}", profile=STRICT).returncode != 0
    container = containerd.detach("/bin/sleep", "1000", runtime=front, profile=STRICT)
    assert own_host.status(containerd.pid(container))["Seccomp"] == "2"
    assert containerd.ask(container, *SEEN).stdout.split() == ["Seccomp:", "2"]
    assert container in seclatch("uninstall", "containerd").stderr
    containerd.remove(container)
    seclatch.must("uninstall", "containerd")
    containerd.stop()


def test_annotations_that_cri_passes_on(own_host: PrivateHost, seclatch: Administrator) -> None:
    require(*Containerd.programs)
    seclatch.write(CONFIG, KUBEADM.replace('runc.v2"', 'runc.v2"\n  pod_annotations = ["x.*"]', 1))
    before = seclatch.tree()
    seclatch.must("install", "containerd", "--record-annotations")
    handlers = cri(own_host)["runtimes"]
    assert handlers["seclatch"]["pod_annotations"] == ["x.*", "seclatch.record"]
    assert handlers["seclatch"]["container_annotations"] == ["seclatch.record"]
    assert handlers["runc"]["pod_annotations"] == ["x.*"]
    seclatch.must("install", "containerd")
    assert cri(own_host)["runtimes"]["seclatch"]["pod_annotations"] == ["x.*"]
    seclatch.must("uninstall", "containerd")
    assert seclatch.tree() == before


def test_cri_switched_off_leaves_the_file_alone(
    own_host: PrivateHost, seclatch: Administrator
) -> None:
    seclatch.write(CONFIG, 'disabled_plugins = ["cri"]\n')  # version 1, as docker.com ships it
    result = seclatch.plan("install", "containerd")
    assert own_host.path(CONFIG).read_text() == 'disabled_plugins = ["cri"]\n'
    assert any("CRI is disabled" in note for note in result["notes"])
    assert own_host.path(FRONT).is_file()
    seclatch.must("uninstall", "containerd")
    assert not own_host.path(FRONT).exists()
