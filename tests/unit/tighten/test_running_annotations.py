"""What a container may ask for by annotation, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from seclatch.errors import SeclatchError
from seclatch.tighten.automatic.annotated_ready import make_condition
from seclatch.tighten.automatic.running_annotations import (
    AnnotatedContainer,
    RunningRequest,
    asks_to_stop,
    read_annotated_container,
    read_running_request,
)

CRI = {
    "io.kubernetes.cri.container-type": "container",
    "io.kubernetes.cri.sandbox-namespace": "shop",
    "io.kubernetes.cri.sandbox-name": "front",
    "io.kubernetes.cri.sandbox-uid": "6b0e-1",
    "io.kubernetes.cri.container-name": "web",
}


def read(folder: Path, values: dict[str, str]) -> AnnotatedContainer | None:
    (folder / "config.json").write_text(json.dumps({"annotations": values}))
    return read_annotated_container(str(folder), "config.json", "c1")


def request(folder: Path, **values: str) -> RunningRequest:
    found = read(folder, {f"seclatch.{key}": value for key, value in values.items()})
    assert found is not None
    return read_running_request(found)


def test_all_annotations(tmp_path: Path) -> None:
    values = {"running": "web", "ready": "listen:80", "unready": "stop", "exec": "boot"}
    found = request(tmp_path, **values, limit="2m")
    assert found == RunningRequest("c1", "web", "listen:80", True, False, 120.0)


def test_defaults(tmp_path: Path) -> None:
    found = request(tmp_path, running="web", ready="30s")
    assert (found.stop, found.sessions, found.limit) == (False, True, 300.0)


@pytest.mark.parametrize(
    "values",
    [
        {"running": "../web", "ready": "30s"},
        {"running": "/etc/passwd", "ready": "30s"},
        {"running": "..", "ready": "30s"},
        {"running": "", "ready": "30s"},
        {"running": "a" * 65, "ready": "30s"},
        {"running": "web\n", "ready": "30s"},
        {"running": "web"},
        {"running": "web", "ready": "30s", "unready": "STOP"},
        {"running": "web", "ready": "30s", "exec": "never"},
        {"running": "web", "ready": "30s", "limit": "0"},
        {"running": "web", "ready": "30s", "limit": "2d"},
        {"running": "web", "ready": "10m"},
        {"running": "web", "ready": "30s", "unready ": "stop"},
    ],
)
def test_what_is_refused(tmp_path: Path, values: dict[str, str]) -> None:
    with pytest.raises(SeclatchError):
        request(tmp_path, **values)


def test_no_annotation_and_the_sandbox_of_a_pod(tmp_path: Path) -> None:
    assert read(tmp_path, {"seclatch.record": "web"}) is None
    sandbox = CRI | {"io.kubernetes.cri.container-type": "sandbox", "seclatch.running": "web"}
    assert read(tmp_path, sandbox) is None


def test_a_container_of_a_pod(tmp_path: Path) -> None:
    """Its own annotation goes before the pod's; another container's does not count."""
    both = {"seclatch.running": "all", "seclatch.running.web": "web", "seclatch.ready": "log:up"}
    found = read(tmp_path, CRI | both)
    assert found is not None
    wanted = read_running_request(found)
    assert (wanted.name, wanted.pod_log) == ("web", "shop_front_6b0e-1/web")
    assert read(tmp_path, CRI | {"seclatch.running.other": "x"}) is None


@pytest.mark.parametrize(
    ("value", "stops"), [("keep", False), ("stop", True), ("Keep", True), ("", True)]
)
def test_all_but_a_plain_keep_stops(tmp_path: Path, value: str, stops: bool) -> None:
    found = read(tmp_path, {"seclatch.running": "web", "seclatch.unready": value})
    assert found is not None
    assert asks_to_stop(found) is stops


@pytest.mark.parametrize(
    "text", ["accept", "true", "/bin/sh -c id", "listen:0", "log:(", "notify:x"]
)
def test_no_condition_is_a_command(text: str) -> None:
    with pytest.raises(SeclatchError):
        make_condition(RunningRequest("c1", "web", text), "docker", "/nowhere", "config.json")


@pytest.mark.parametrize("text", ["healthy", "log:up"])
def test_conditions_that_take_an_engine_or_a_pod(text: str) -> None:
    with pytest.raises(SeclatchError, match="containerd"):
        make_condition(RunningRequest("c1", "web", text), "containerd", "/nowhere", "config.json")
