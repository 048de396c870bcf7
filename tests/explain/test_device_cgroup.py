"""A device that the container's device cgroup does not allow: the kernel's EPERM, not seccomp's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.explain.conftest import Explain
from tests.latch.oci import Bundle, Runtime

pytestmark = pytest.mark.root

FUSE = {"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o666}
"""Opening it takes no capability, and it is not among those that runc allows to all."""


@pytest.mark.parametrize("allowed", [False, True])
def test_a_device(explain: Explain, bundle: Callable[..., Bundle], allowed: bool) -> None:
    assert Path("/dev/fuse").exists(), "this kernel has no /dev/fuse"
    made = bundle(
        ["/bin/sh", "-c", "exec 3< /dev/fuse"], seccomp={"defaultAction": "SCMP_ACT_ALLOW"}
    )
    rules = [{"allow": False, "access": "rwm"}]
    if allowed:
        rules.append({"allow": True, "type": "c", "major": 10, "minor": 229, "access": "rw"})
    made.config["linux"]["devices"] = [FUSE]
    made.config["linux"]["resources"]["devices"] = rules
    made.write()
    done = explain(Runtime("runc", latched=False).argv("run", "--bundle", made.path, made.id))
    found = done.document
    if allowed:
        assert (found["seccomp"], found["cause"]) == (False, "none"), found
        return
    assert (found["seccomp"], found["cause"]) == (False, "cgroup"), found
    assert "/dev/fuse" in found["summary"]
    assert any("--device" in fact for fact in found["evidence"]), found
