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
from tests.engines.test_install_containerd import CONFIG
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
    seclatch.must("install", "containerd", "--runtime", runtime, "--record-annotations")
    containerd = Containerd(own_host, {}, config=CONFIG).begin(tmp_path / "containerd.log")
    pause = make_archive(image_root, tmp_path / "pause.tar", PAUSE, ["/bin/sleep", "100000"])
    socket = containerd.directory / "containerd.sock"
    for archive in (image, pause):
        words = ["--address", socket, "--namespace", "k8s.io", "image", "import", archive]
        own_host.run("ctr", *words, check=True)
    kubelet = Kubelet(own_host.path(socket), own_host.group)
    yield kubelet
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
