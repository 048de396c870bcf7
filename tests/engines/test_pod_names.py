"""Names of pods, namespaces and containers, as commands show and take them, with a real CRI."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc
import jsonschema
import pytest

from seclatch.engines.services.annotation_recorder import PROGRAM
from seclatch.model.recording.recording import Recording
from seclatch.recording.files import recording_file
from tests.engines import test_pods
from tests.engines.cri import CONTAINER, POD, Kubelet
from tests.engines.host import PrivateHost, wait_until
from tests.engines.image import IMAGE
from tests.engines.installing import SEEN, STRICT, Administrator
from tests.engines.test_record_annotation import DIRECTORY, ended, flushed, kept
from tests.explain.conftest import SCHEMA
from tests.latch.oci import SCRIPTS

ROOT = Path(__file__).parents[2]
SLEEP = ("/bin/sleep", "1000")
kubelet = test_pods.kubelet


@pytest.fixture
def runtime() -> str:
    return "runc"


def ps(seclatch: Administrator, *words: str) -> list[dict[str, Any]]:
    """Return the processes of containers that `seclatch ps --json` lists."""
    found = json.loads(seclatch.must("ps", "--json", *words))["processes"]
    return [process for process in found if process["container"]]


def names(process: dict[str, Any]) -> tuple[str | None, ...]:
    container = process["container"]
    return tuple(container[key] for key in ("namespace", "pod", "name"))


@pytest.mark.parametrize("pids", [POD, CONTAINER], ids=["pod's pids", "own pids"])
def test_ps_and_filter_name_the_pod(kubelet: Kubelet, seclatch: Administrator, pids: int) -> None:
    pod = kubelet.run_pod("shop", "seclatch", {}, pids)
    for name in ("web", "sidecar"):
        pod.start(*SLEEP, profile=STRICT, name=name)
    found = ps(seclatch, "--name", "sleep", "--flat")
    assert {names(each) for each in found} == {
        ("default", "shop", None),  # the sandbox: its pause is busybox's sleep
        ("default", "shop", "sidecar"),
        ("default", "shop", "web"),
    }
    [web] = [each for each in found if each["container"]["name"] == "web"]
    assert (web["container"]["image"], web["container"]["engine"]) == (IMAGE, "containerd")
    assert "default/shop/web" in seclatch.must("ps", "--flat")
    assert [each["pid"] for each in ps(seclatch, "--container", "web")] == [web["pid"]]
    assert "container default/shop/web" in seclatch.must("filter", "web")
    assert "container default/shop/web" in seclatch.must("filter", "--pod", "default/shop/web")
    assert [each["pid"] for each in ps(seclatch, "--pod", "default/shop/web")] == [web["pid"]]
    assert len(ps(seclatch, "--pod", "default/shop", "--flat")) == 3
    ambiguous = seclatch("filter", "--pod", "default/shop").stderr
    assert "default/shop/sidecar, default/shop/web" in ambiguous
    pod.remove()


def test_recordings_name_the_pod_and_the_image(
    kubelet: Kubelet, own_host: PrivateHost, seclatch: Administrator, tmp_path: Path
) -> None:
    """An init container and the main one, of one image, by annotation: two profiles."""
    pod = kubelet.run_pod("shop", "seclatch", test_pods.WISH)
    assert pod.wait(pod.start("/bin/exit42", profile=STRICT, name="init")) == 42
    web = pod.start(*SLEEP, profile=STRICT, name="web")
    wait_until(lambda: flushed(own_host, seclatch, web).images, "containerd's answer")
    assert pod.execute(web, *SEEN)[0] == 0
    live = str(tmp_path / "live.json")  # recorded as one that runs already
    seclatch.must("record", "--pod", "default/shop", "--seconds", "0.5", "-o", live)
    pod.remove()
    ended(own_host, 2)
    [container] = recording_file.read_recording(Path(live)).containers
    assert str(container.pod) == "default/shop/web"
    assert container.image and container.image.name == IMAGE
    recordings = [recording_file.read_recording(path) for path in kept(own_host)]
    titles = {str(each.pod) for recording in recordings for each in recording.containers}
    assert titles == {"default/shop/init", "default/shop/web"}
    files = [f"{DIRECTORY}/{path.name}" for path in kept(own_host)]
    assert {seclatch.must("show", file).partition(":")[0] for file in files} == {
        f"container {title}" for title in titles
    }
    assert "different containers of pods: " in seclatch("generate", *files).stderr
    calls = {
        words: generated(seclatch, *files, "--container", *words.split())
        for words in ("init", "web", "web --no-sessions", "web --without-exec")
    }
    assert "exit_group" in calls["init"]
    assert "openat" in calls["web"]
    assert "openat" not in calls["web --no-sessions"] | calls["init"]
    assert calls["web --without-exec"] == calls["web --no-sessions"]
    merged = seclatch.must("record", "merge", "--into", str(tmp_path / "merged"), *files)
    assert len(merged.splitlines()) == 2
    command = record_command(kubelet, tmp_path)
    [web_pod] = [each.pod for each in command.containers if each.pod]
    assert (str(web_pod), web_pod.claimed) == ("default/run/web", False)
    assert command.container_names == ["web"]


def record_command(kubelet: Kubelet, folder: Path) -> Recording:
    """Record a command that starts a pod by CRI, which containerd does for it.

    From outside of the private host: daemons cannot be followed from within a pid namespace.
    """
    path = folder / "command.json"
    client = [sys.executable, "-m", "tests.engines.start_pod"]
    words = [str(kubelet.socket), kubelet.group, "seclatch", "run"]
    command = [SCRIPTS / "seclatch", "record", "-q", "-o", path, "--", *client, *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 42, done.stderr
    return recording_file.read_recording(path)


def generated(seclatch: Administrator, *words: str) -> set[str]:
    """Return the calls that a profile made of these recordings allows."""
    profile = json.loads(seclatch.must("generate", "--exact", *words))
    return {name for rule in profile["syscalls"] for name in rule["names"]}


def test_a_recorder_is_in_no_container(kubelet: Kubelet, seclatch: Administrator) -> None:
    pod = kubelet.run_pod("shop", "seclatch", test_pods.WISH)
    pod.start(*SLEEP, profile=STRICT, name="web")
    processes = json.loads(seclatch.must("ps", "--json"))["processes"]
    [recorder] = [each for each in processes if PROGRAM in each["command"]]
    assert (recorder["container"], recorder["stage"]) == (None, None)
    assert {each["command"][0] for each in ps(seclatch, "--container", "web")} == {SLEEP[0]}
    pod.remove()


def test_explain_a_pod_that_could_not_start(
    kubelet: Kubelet, own_host: PrivateHost, seclatch: Administrator, tmp_path: Path
) -> None:
    """A plain runtime fails under the profile: the answer is that for `docker run`."""
    folder = own_host.path("/var/lib/kubelet/seccomp/profiles")
    folder.mkdir(parents=True)
    (folder / "strict.json").write_bytes(STRICT.read_bytes())
    kept = "/var/lib/kubelet/seccomp/profiles/strict.json"
    pod = kubelet.run_pod("shop", "runc", {})
    with pytest.raises(grpc.RpcError):
        pod.start("/bin/exit42", profile=Path(kept), name="web")
    done = seclatch("explain", "--json", "--pod", "default/shop/web")
    assert done.returncode == 1, done.stderr
    why = json.loads(done.stdout)
    jsonschema.validate(why, SCHEMA)
    assert (why["seccomp"], why["cause"]) == (True, "runtime-denied")
    assert why["summary"].startswith("default/shop/web: runc could not start the program")
    assert {one["rule"]["profile"] for one in why["denials"]} == {kept}
    latch = next(each for each in why["remedies"] if each["kind"] == "latch")
    assert "runtimeClassName" in latch["text"] and latch["command"] == []
    other = kubelet.run_pod("safe", "seclatch", {})
    other.start(*SLEEP, profile=Path(kept), name="web")
    done = seclatch("explain", "--json", "--pod", "default/safe")
    assert done.returncode == 0, done.stdout
    evidence = "; ".join(json.loads(done.stdout)["evidence"])
    assert "runc with the latch" in evidence
    assert "`seclatch watch --pod default/safe/web`" in evidence
    nothing = seclatch("explain", "--pod", "default/nothing")
    assert "containerd has no container of pod default/nothing" in nothing.stderr
    assert nothing.returncode == 2
    for each in (pod, other):
        each.remove()
