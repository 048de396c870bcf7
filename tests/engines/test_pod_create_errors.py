"""Pods whose container is not created: what `explain --pod` finds in a real containerd's log."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import jsonschema
import pytest

from tests.engines import test_pods
from tests.engines.cri import Kubelet
from tests.engines.host import PrivateHost
from tests.engines.installing import Administrator
from tests.explain.conftest import SCHEMA

LOG = "containerd.log"
FOLDER = "/var/lib/kubelet/seccomp"
BROKEN = '{"defaultAction": "SCMP_ACT_ERRNO",\n "syscalls": [}'
UNKNOWN = '{"defaultAction": "SCMP_ACT_ERNO", "syscalls": []}'
kubelet = test_pods.kubelet


@pytest.fixture
def runtime() -> str:
    return "runc"


def test_what_is_left_of_containers_that_were_not_created(
    kubelet: Kubelet, own_host: PrivateHost, seclatch: Administrator, tmp_path: Path
) -> None:
    folder = own_host.path(FOLDER) / "profiles"
    folder.mkdir(parents=True)
    (folder / "broken.json").write_text(BROKEN)
    (folder / "unknown.json").write_text(UNKNOWN)
    (folder / "there.json").write_text(UNKNOWN)
    pod, other = (kubelet.run_pod(name, "runc", {}) for name in ("shop", "other"))
    for name in ("broken", "unknown"):
        with pytest.raises(grpc.RpcError):
            pod.start("/bin/exit42", profile=Path(f"{FOLDER}/profiles/{name}.json"), name=name)
    for one, name in ((pod, "there"), (other, "web")):
        with pytest.raises(grpc.RpcError):
            one.start("/bin/exit42", profile=Path(f"{FOLDER}/localhost/{name}.json"), name=name)
    with pytest.raises(grpc.RpcError):
        kubelet.run_pod("none", "seclatch-new", {})

    def explain(pod: str) -> dict[str, Any]:
        log = str(tmp_path / LOG)
        done = seclatch("explain", "--json", "--pod", f"default/{pod}", "--log", log)
        assert done.returncode == 1, done.stderr
        why: dict[str, Any] = json.loads(done.stdout)
        jsonschema.validate(why, SCHEMA)
        return why

    check(explain)
    silent = seclatch("explain", "--pod", "default/other/nothing")
    assert (silent.returncode, "no container of pod" in silent.stderr) == (2, False), silent.stderr
    (folder / "there.json").write_text('{"defaultAction": "SCMP_ACT_ALLOW"}')
    pod.start("/bin/exit42", profile=Path(f"{FOLDER}/profiles/there.json"), name="there")
    mended = seclatch("explain", "--pod", "default/shop/there", "--log", str(tmp_path / LOG))
    assert (mended.returncode, "no failure" in mended.stdout) == (0, True), mended.stdout
    (folder / "there.json").unlink()
    with pytest.raises(grpc.RpcError):  # the kubelet starts it again, with the next number
        pod.start(
            "/bin/exit42", profile=Path(f"{FOLDER}/profiles/there.json"), name="there", attempt=1
        )
    assert "profiles/there.json is not on this node" in explain("shop/there")["summary"]
    for each in (pod, other):
        each.remove()


def check(explain: Callable[[str], dict[str, Any]]) -> None:
    missing = explain("shop")  # the last one that failed
    assert (missing["seccomp"], missing["cause"]) == (False, "missing-file")
    assert f"{FOLDER}/localhost/there.json is not on this node" in missing["summary"]
    assert "localhostProfile: profiles/there.json" in missing["remedies"][0]["text"]
    broken = explain("shop/broken")
    assert (broken["seccomp"], broken["cause"]) == (True, "profile-refused")
    assert f"{FOLDER}/profiles/broken.json: line 2, column" in broken["summary"]
    unknown = explain("shop/unknown")  # created, and refused by the runtime
    assert (unknown["seccomp"], unknown["cause"]) == (True, "profile-refused")
    assert "SCMP_ACT_ERNO" in unknown["summary"]
    handler = explain("none")
    assert (handler["seccomp"], handler["cause"]) == (False, "engine-failed")
    assert "no runtime handler 'seclatch-new'" in handler["summary"]
    assert handler["remedies"][0]["command"] == ["seclatch", "install", "containerd"]
