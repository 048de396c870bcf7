"""What containerd's client prints of a pod's container, and which profile file it has."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seclatch.errors import SeclatchError
from seclatch.model.pod import PodContainer, parse_pod
from seclatch.process.pod_containers import (
    PodContainerConfig,
    choose_container,
    find_profile_file,
    parse_container,
)

PROFILE = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "syscalls": [{"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"}],
}
OPTIONS = base64.b64encode(b"\x1a\x2a/usr/local/lib/seclatch/containerd/crun0\x01").decode()
INFO: dict[str, Any] = {
    "ID": "a" * 64,
    "Image": "shop:1",
    "CreatedAt": "2026-01-01T00:00:00Z",
    "Runtime": {"Name": "io.containerd.runc.v2", "Options": {"type_url": "x", "value": OPTIONS}},
    "Spec": {
        "process": {"noNewPrivileges": True, "user": {"uid": 5, "gid": 6}},
        "annotations": {
            "io.kubernetes.cri.container-type": "container",
            "io.kubernetes.cri.container-name": "web",
            "io.kubernetes.cri.sandbox-name": "shop",
            "io.kubernetes.cri.sandbox-namespace": "prod",
        },
        "linux": {"seccomp": PROFILE},
    },
}
VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*INFO, *INFO["Spec"], "uid", "Options", "value"]), inner)
    ),
    max_leaves=8,
)


def made(name: str, created: str = "1") -> PodContainerConfig:
    config = parse_container(json.dumps(INFO))
    assert config
    names = PodContainer(namespace="prod", pod="shop", container=name)
    return replace(config, names=names, created=created, identifier=created)


def test_what_the_runtime_is_given() -> None:
    found = parse_container(json.dumps(INFO))
    assert found is not None
    assert str(found.names) == "prod/shop/web"
    assert (found.runtime, found.program) == ("crun", "/usr/local/lib/seclatch/containerd/crun")
    assert (found.no_new_privileges, found.user, found.seccomp) == (True, (5, 6), PROFILE)
    assert not found.latched  # there is no such front here
    default = json.loads(json.dumps(INFO))
    default["Runtime"].pop("Options")
    assert (parse_container(json.dumps(default)) or found).runtime == "runc"


@given(value=VALUES, key=st.sampled_from([*INFO]))
def test_arbitrary_json(value: object, key: str) -> None:
    for text in (json.dumps(value), json.dumps({**INFO, key: value})):
        found = parse_container(text)
        assert found is None or found.names.pod == "shop"


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000, '{"Spec": {"annotations": 1}}'])
def test_text_that_is_no_container(text: str) -> None:
    assert parse_container(text) is None


def test_the_file_that_has_the_profile(tmp_path: Path) -> None:
    own, other = tmp_path / "profiles" / "web.json", tmp_path / "profiles" / "a.json"
    own.parent.mkdir()
    assert find_profile_file(made("web"), tmp_path) is None
    own.write_text(json.dumps({"comment": "ours", **PROFILE}))
    other.write_text(json.dumps({"defaultAction": "SCMP_ACT_LOG"}))
    (tmp_path / "broken.json").write_text("{")
    assert find_profile_file(made("web"), tmp_path) == own
    assert find_profile_file(replace(made("web"), seccomp=None), tmp_path) is None


def test_the_newest_container_counts() -> None:
    selector = parse_pod("prod/shop")
    chosen = choose_container([made(""), made("web", "2"), made("web", "1")], selector)
    assert chosen and chosen.identifier == "2"
    assert choose_container([made("")], selector) is None
    with pytest.raises(SeclatchError, match="prod/shop/init, prod/shop/web"):
        choose_container([made("web"), made("init")], selector)
