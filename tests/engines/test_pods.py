"""Pods of a real containerd's CRI plugin, started as a kubelet does: latched, and recorded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from tests.engines.conftest import require
from tests.engines.containerd import Containerd
from tests.engines.cri import CONTAINER, POD, Kubelet
from tests.engines.host import PrivateHost, wait_until
from tests.engines.image import IMAGE, make_archive
from tests.engines.installing import SEEN, STRICT, Administrator
from tests.engines.node_recorder import install_recorder
from tests.engines.test_install_containerd import CONFIG, IMPORTING, NVIDIA, TOOLKIT
from tests.engines.test_record import calls, programs
from tests.engines.test_record_annotation import ended, flushed, kept

PAUSE = "seclatch.test/pause:1"
# CRI lowers the OOM score of a pod's own process, which takes CAP_SYS_RESOURCE; root lacks it on
# some machines.
TEXT = f"""\
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  restrict_oom_score_adj = true
"""
WISH = {"seclatch.record": "web"}


NODE = TOOLKIT.replace(
    "    restrict_oom", f'    sandbox_image = "{PAUSE}"\n    restrict_oom'
).replace("SystemdCgroup = true", "SystemdCgroup = false")


def connect(containerd: Containerd, image: Path, image_root: Path, folder: Path) -> Kubelet:
    """Import the images of pods; return a client of the CRI plugin."""
    pause = make_archive(image_root, folder / "pause.tar", PAUSE, ["/bin/sleep", "100000"])
    socket = containerd.directory / "containerd.sock"
    for archive in (image, pause):
        words = ["--address", socket, "--namespace", "k8s.io", "image", "import", archive]
        containerd.host.run("ctr", *words, check=True)
    kubelet = Kubelet(containerd.host.path(socket), containerd.host.group)
    wait_until(lambda: all(map(kubelet.has_image, (IMAGE, PAUSE))), "the images")
    return kubelet


def restart(containerd: Containerd, log: Path) -> Containerd:
    """Restart the daemon; its shims stay."""
    containerd.daemon.stop()
    return containerd.begin(log)


@pytest.fixture
def kubelet(
    own_host: PrivateHost,
    seclatch: Administrator,
    image: Path,
    image_root: Path,
    tmp_path: Path,
    runtime: str,
) -> Iterator[Kubelet]:
    """Provide a CRI client of a containerd with the latch installed and annotations enabled."""
    require(*Containerd.programs)
    seclatch.write(CONFIG, TEXT)
    install_recorder(seclatch, "containerd", "--runtime", runtime)
    containerd = Containerd(own_host, {}, config=CONFIG).begin(tmp_path / "containerd.log")
    kubelet = connect(containerd, image, image_root, tmp_path)
    yield kubelet
    kubelet.channel.close()
    containerd.stop()


def test_ten_rounds_with_pods_alive(
    own_host: PrivateHost,
    seclatch: Administrator,
    image: Path,
    image_root: Path,
    tmp_path: Path,
) -> None:
    """Beside NVIDIA's drop-in; containerd is restarted in the first and last round."""
    require(*Containerd.programs)
    # As on hosts without systemd; containerd 2.x merges both files.
    seclatch.write(CONFIG, IMPORTING.replace("SystemdCgroup = true", "SystemdCgroup = false"))
    seclatch.write(NVIDIA, NODE)
    before = seclatch.tree()
    containerd = Containerd(own_host, {}, config=CONFIG).begin(tmp_path / "containerd.log")
    kubelet = connect(containerd, image, image_root, tmp_path)
    alive = kubelet.run_pod("alive", "runc", {})
    container = alive.start("/bin/sleep", "1000", profile=None)
    for number in range(10):
        seclatch.must("install", "containerd")
        if number in (0, 9):
            containerd = restart(containerd, tmp_path / f"containerd-{number}.log")
            pod = kubelet.run_pod(f"latched-{number}", "seclatch", {})
            latched = pod.start("/bin/sleep", "1000", profile=STRICT)
            done = seclatch("uninstall", "containerd")
            assert done.returncode == 125
            assert f"pod default/latched-{number} (pid " in done.stderr
            assert "pod default/alive" not in done.stderr
            assert pod.execute(latched, *SEEN)[1].split() == ["Seccomp:", "2"]
            pod.remove()
        seclatch.must("uninstall", "containerd")
        assert seclatch.tree() == before
    assert alive.execute(container, "/bin/exit42")[0] == 42
    alive.remove()
    kubelet.channel.close()
    containerd.stop()


@pytest.mark.parametrize("pids", [POD, CONTAINER], ids=["pod's pids", "own pids"])
def test_a_pod_s_annotation_records_its_container(
    kubelet: Kubelet, own_host: PrivateHost, runtime: str, pids: int
) -> None:
    pod = kubelet.run_pod("web", "seclatch", {**WISH, "other": "x"}, pids)
    container = pod.start("/bin/exit42", profile=STRICT)
    assert pod.wait(container) == 42
    [recording] = ended(own_host)  # there is none of the process that holds the pod's namespaces
    [path] = kept(own_host)
    assert path.name.startswith(f"web-{container[:12]}-")
    assert [each.name for each in recording.containers] == [container]
    assert programs(recording) == [["/bin/exit42"]]
    assert calls(recording, "program") == {"exit_group": 1}
    assert "execve" in calls(recording, "filtered-init")
    assert recording.runtimes == [runtime]
    assert [each.joined for each in recording.sessions] == [False]
    pod.remove()


def test_sessions_of_a_pod_s_container_are_latched_and_recorded(
    kubelet: Kubelet, own_host: PrivateHost, seclatch: Administrator
) -> None:
    pod = kubelet.run_pod("web", "seclatch", WISH)
    container = pod.start("/bin/sleep", "1000", profile=STRICT)
    wait_until(lambda: flushed(own_host, seclatch, "web").images, "containerd's answer")
    status, output = pod.execute(container, *SEEN)
    assert (status, output.split()) == (0, ["Seccomp:", "2"])
    pod.remove()
    [recording] = ended(own_host)
    assert sorted(programs(recording)) == sorted([SEEN, ["/bin/sleep", "1000"]])
    assert [each.joined for each in recording.sessions] == [False, True]
    [image] = recording.images
    assert (image.name, image.digest[:7]) == (IMAGE, "sha256:")


def test_a_container_s_own_annotation_or_none(kubelet: Kubelet, own_host: PrivateHost) -> None:
    pod = kubelet.run_pod("web", "seclatch", {})
    unasked = pod.start("/bin/exit42", profile=STRICT)
    assert pod.wait(unasked) == 42
    assert kept(own_host) == []
    asked = pod.start("/bin/exit42", profile=STRICT, annotations=WISH, name="second")
    assert pod.wait(asked) == 42
    [recording] = ended(own_host)
    assert [each.name for each in recording.containers] == [asked]
    pod.remove()


def test_the_bare_runtime_cannot_start_it_and_ignores_annotations(
    kubelet: Kubelet, own_host: PrivateHost
) -> None:
    pod = kubelet.run_pod("web", "runc", WISH)
    with pytest.raises(grpc.RpcError):
        pod.start("/bin/exit42", profile=STRICT)
    assert kept(own_host) == []
    pod.remove()
