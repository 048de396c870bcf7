"""Debug containers as `kubectl debug --target` makes them in restricted pods, over a real CRI."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from seclatch.agent.protobuf_wire import Fields
from tests.engines import test_pods
from tests.engines.cri import Kubelet
from tests.engines.host import PrivateHost, wait_until
from tests.engines.installing import MAIN, SOURCES, STRICT, Administrator
from tests.engines.test_pod_names import SLEEP, names, ps

ATTACH = ("/bin/attach", "1")
PYTHON = ("env", f"PYTHONPATH={SOURCES}", sys.executable, "-c")
kubelet = test_pods.kubelet


@pytest.fixture
def runtime() -> str:
    return "runc"


def restricted(user: int) -> Fields:
    """Return what `kubectl debug --profile=restricted` sets: a user without capabilities."""
    return (1, ((2, "ALL"),)), (5, ((1, user),)), (11, 1)


def test_why_a_debugger_cannot_attach(
    kubelet: Kubelet, own_host: PrivateHost, seclatch: Administrator, tmp_path: Path
) -> None:
    """Under a strict profile by seccomp; else by the kernel, for want of a capability."""
    open_ = own_host.path("/var/lib/kubelet/seccomp/open.json")
    open_.parent.mkdir(parents=True)
    open_.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": []}))
    pod = kubelet.run_pod("shop", "seclatch", {})
    web = pod.start(*SLEEP, profile=STRICT, name="web", rights=restricted(1000))
    made = {
        name: pod.start(*SLEEP, profile=profile, name=name, target=web, rights=restricted(user))
        for name, profile, user in (
            ("strict", STRICT, 1000),
            ("other", Path("/var/lib/kubelet/seccomp/open.json"), 2000),
        )
    }
    found = {names(each) for each in ps(seclatch, "--name", "sleep", "--flat")}
    assert {("default", "shop", name) for name in ("web", *made)} <= found
    with followed(seclatch, tmp_path, *made) as answers:
        for container in made.values():
            status, _ = pod.execute(container, *ATTACH)
            assert status == 1
    strict, other = answers["strict"], answers["other"]
    assert (strict["seccomp"], strict["cause"]) == (True, "program-denied"), strict
    assert strict["denials"][-1]["syscall"] == "ptrace"
    assert (other["seccomp"], other["cause"]) == (False, "missing-capability"), other
    assert "attaching to process 1" in other["summary"]
    pod.remove()


@contextmanager
def followed(
    seclatch: Administrator, folder: Path, *containers: str
) -> Iterator[dict[str, dict[str, Any]]]:
    """Explain these containers of the pod while the block runs; yield the answers, to be filled."""
    answers: dict[str, dict[str, Any]] = {}
    running = []
    for name in containers:
        words = ["explain", "--json", "-o", folder / name, "--container", f"default/shop/{name}"]
        words[1:1] = ["--seconds", "8"]
        running.append(seclatch.host.spawn(*PYTHON, MAIN, *words, log=folder / f"{name}.log"))
    for name in containers:
        log = folder / f"{name}.log"
        wait_until(lambda log=log: "following" in log.read_text(), "explain to follow it")
    yield answers
    for name, process in zip(containers, running, strict=True):
        assert process.wait(60) == 1, (folder / f"{name}.log").read_text()
        answers[name] = json.loads((folder / name).read_text())
