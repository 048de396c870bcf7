"""The bundle of a further run; whether a layer can be laid over its root is tried in a process."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from seclatch.diagnose.confirm.client_command.second_run import CannotRunAgainError
from seclatch.diagnose.confirm.run_again import plan_run_again
from tests.unit.diagnose.test_run_again import PROFILE, run_again

pytestmark = pytest.mark.root


def test_a_runtime_gets_another_bundle(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    config = {
        "process": {"terminal": False},
        "root": {"path": "rootfs"},
        "mounts": [
            {"destination": "/a", "source": "a", "options": ["bind"]},
            {"destination": "/b", "source": "tmpfs", "type": "tmpfs"},
        ],
        "linux": {"seccomp": {"defaultAction": "SCMP_ACT_ERRNO"}, "rootfsPropagation": "slave"},
    }
    (first / "config.json").write_text(json.dumps(config))
    command = f"runc --root /r run --bundle {first} --pid-file p --no-pivot web"
    assert run_again(command, second) == "runc --root /r run --no-pivot --bundle F NAME"
    made = json.loads((second / "config.json").read_text())
    assert made["root"]["path"] == f"{first}/rootfs"
    assert [mount["source"] for mount in made["mounts"]] == [f"{first}/a", "tmpfs"]
    assert made["linux"] == {"seccomp": PROFILE, "rootfsPropagation": "slave"}
    assert json.loads((first / "config.json").read_text()) == config
    (first / "config.json").write_text(json.dumps({"process": {"terminal": True}}))
    with pytest.raises(CannotRunAgainError, match=r"process\.terminal"):
        plan_run_again(shlex.split(command))


def test_an_isolated_bundle_has_no_log_file_cgroup_or_devices(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first / "rootfs", second):
        folder.mkdir(parents=True)
    config = {
        "process": {"capabilities": {"bounding": ["CAP_MKNOD", "CAP_CHOWN"]}},
        "root": {"path": "rootfs", "readonly": True},
        "linux": {"cgroupsPath": "/a/b", "resources": {}},
    }
    (first / "config.json").write_text(json.dumps(config))
    command = f"runc --log /var/log/x --log-format=json --root /r run --bundle {first} web"
    plan = plan_run_again(shlex.split(command), isolated=True)
    assert plan.make("7", second, None).words[:4] == ("runc", "--root", "/r", "run")
    made = json.loads((second / "config.json").read_text())
    assert made["process"] == {"capabilities": {"bounding": ["CAP_CHOWN"]}}
    assert made["linux"] == {"resources": {}}
    assert made["root"] == {"path": f"{second}/rootfs", "readonly": True}
