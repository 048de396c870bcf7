"""Names of pods, namespaces and containers, as commands show and take them, with a real CRI."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.engines import test_pods
from tests.engines.cri import CONTAINER, POD, Kubelet
from tests.engines.image import IMAGE
from tests.engines.installing import STRICT, Administrator

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
    pod.remove()


def test_a_recorder_is_in_no_container(kubelet: Kubelet, seclatch: Administrator) -> None:
    pod = kubelet.run_pod("shop", "seclatch", test_pods.WISH)
    pod.start(*SLEEP, profile=STRICT, name="web")
    processes = json.loads(seclatch.must("ps", "--json"))["processes"]
    [recorder] = [each for each in processes if "config.json" in each["command"]]
    assert (recorder["container"], recorder["stage"]) == (None, None)
    assert {each["command"][0] for each in ps(seclatch, "--container", "web")} == {SLEEP[0]}
    pod.remove()
