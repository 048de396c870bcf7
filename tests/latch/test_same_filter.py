"""The state of the program equals its state under the bare runtime."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Compiler
from tests.latch.oci import Bundle, Runtime, running, status, wait_until

pytestmark = pytest.mark.root

SAME = [
    "Uid",
    "Gid",
    "Groups",
    "CapInh",
    "CapPrm",
    "CapEff",
    "CapBnd",
    "CapAmb",
    "NoNewPrivs",
    "Seccomp",
    "Seccomp_filters",
    "SigBlk",
    "SigIgn",
    "SigCgt",
    "TracerPid",
    "Umask",
    "Threads",
]


def engine_like_profile() -> dict[str, Any]:
    """Return a long real allowlist with which every runtime boots: Podman's, without conditions."""
    rules = json.loads(Path("/usr/share/containers/seccomp.json").read_text())["syscalls"]
    names = [name for rule in rules if rule["action"] == "SCMP_ACT_ALLOW" for name in rule["names"]]
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 1,
        # one architecture: runc's ENOSYS stub orders several by a Go map, differently in each run
        "syscalls": [
            {"names": sorted(set(names) - {"personality"}), "action": "SCMP_ACT_ALLOW"},
            {
                "names": ["personality"],
                "action": "SCMP_ACT_ALLOW",
                "args": [{"index": 0, "value": 8, "op": "SCMP_CMP_EQ"}],
            },
        ],
    }


def observe(runtime: Runtime, bundle: Bundle, get_filter: Path) -> tuple[dict[str, str], str]:
    with running(runtime, bundle) as pid:
        facts = wait_until(lambda: (s := status(pid))["TracerPid"] == "0" and s, "the tracer")
        filters = subprocess.run(
            [get_filter, str(pid)], check=True, capture_output=True, text=True
        ).stdout
        environment = Path(f"/proc/{pid}/environ").read_text()
    return {**{key: facts[key] for key in SAME}, "environ": environment}, filters


def test_filter_and_credentials_equal_the_bare_runtime_s(
    plain: Runtime,
    latched: Runtime,
    bundle: Callable[..., Bundle],
    no_new_privileges: bool,
    compiler: Compiler,
) -> None:
    made = bundle(
        ["/bin/sleep", "100"], seccomp=engine_like_profile(), no_new_privileges=no_new_privileges
    )
    made.config["process"]["user"] = {"uid": 1000, "gid": 1000, "additionalGids": [7, 8]}
    made.write()
    get_filter = compiler("get_filter")
    bare, bare_filters = observe(plain, made, get_filter)
    under, under_filters = observe(latched, made, get_filter)
    assert bare == under
    assert len(bare_filters) > 1000
    assert bare_filters == under_filters
