"""The choice for each kind of host; the live tests run containers on them."""

import os
from pathlib import Path
from typing import Any

import pytest

from seclatch.runtime.cgroup_support import choose_cgroups

HOSTS = {
    "unified": ["cgroup.controllers"],
    "hybrid": ["devices/", "memory/", "unified/", "unified/cgroup.controllers"],
    "legacy": ["devices/", "memory/"],
    "none": [],
}


@pytest.fixture
def host(tmp_path: Path) -> Any:
    def make(kind: Any) -> Any:
        for name in HOSTS[kind]:
            path = tmp_path / name
            path.mkdir() if name.endswith("/") else path.write_text("")
        return tmp_path

    return make


@pytest.mark.parametrize(
    ("runtime", "kind", "unified", "remount"),
    [
        ("runc", "unified", True, False),
        ("crun", "unified", True, False),
        ("runc", "hybrid", False, False),
        ("crun", "hybrid", True, True),
        ("runc", "legacy", False, False),
        ("crun", "legacy", True, True),
        ("runc", "none", True, True),
        ("crun", "none", True, True),
    ],
)
def test_choice(host: Any, runtime: str, kind: Any, unified: Any, remount: Any) -> None:
    chosen = choose_cgroups(runtime, host(kind))
    assert (chosen.unified, chosen.remount) == (unified, remount)
    assert chosen.device_control
    assert chosen.arguments == ()


@pytest.mark.parametrize("kind", ["unified", "hybrid"])
def test_read_only(host: Any, monkeypatch: pytest.MonkeyPatch, kind: Any) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anything but EROFS
    assert choose_cgroups("runc", host(kind)).remount
