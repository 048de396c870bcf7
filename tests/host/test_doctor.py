"""`seclatch doctor` on this host, and on hosts made unfit on purpose."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from seclatch.engines.installation.host_root import HostRoot
from seclatch.host.installed_engines import check_abandoned
from seclatch.system.held_file import hold_file
from tests.conftest import Compiler
from tests.latch.oci import is_hybrid

pytestmark = pytest.mark.root

DOCTOR = [sys.executable, "-m", "seclatch", "doctor"]


def examine(*prefix: str | Path, **environment: str) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [*prefix, *DOCTOR, "--json"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )
    assert done.stderr == ""
    document: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, document


def checks(document: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {check["name"]: check for check in document["checks"]}


def test_a_fit_host() -> None:
    status, document = examine()
    assert (status, document["schema"], document["healthy"]) == (0, 1, True)
    found = checks(document)
    for name in ("runc", "crun"):
        assert found[name]["state"] == "ok"
        assert "version" in found[name]["found"]
        assert found[f"a latched container ({name})"]["state"] == "ok"
    assert found["suspending seccomp"]["state"] == "ok"
    assert found["latch method"]["found"] == "suspend"
    assert "errno" in found["seccomp filters"]["found"]
    assert found["cgroups"]["state"] == ("note" if is_hybrid() else "ok")
    assert {"docker", "podman", "containerd"} <= set(found)
    assert all(set(check) == {"name", "state", "found", "remedy"} for check in found.values())


@pytest.mark.parametrize(
    ("prefix", "reason"),
    [
        (["setpriv", "--bounding-set=-sys_admin"], "no CAP_SYS_ADMIN"),
        (["setpriv", "--bounding-set=-sys_ptrace"], "no CAP_SYS_PTRACE"),
        (["unshare", "-Ur"], "not in the initial user namespace"),
    ],
)
def test_an_unfit_host(prefix: list[str], reason: str) -> None:
    status, document = examine(*prefix)
    assert (status, document["healthy"]) == (1, False)
    check = checks(document)["suspending seccomp"]
    assert (check["state"], check["found"]) == ("note", reason)
    assert check["remedy"]
    # the gate needs no privilege, but `seclatch run`, which starts the test containers, does
    assert checks(document)["latching without privileges"]["state"] == "ok"
    assert checks(document)["latch method"]["found"].startswith("hold")


def test_an_engine_in_a_confined_container(compiler: Compiler) -> None:
    """Seccomp cannot be suspended there, but containers are latched: by the gate."""
    status, document = examine(compiler("under_filter"))
    assert status == 0
    assert "under a seccomp filter" in checks(document)["suspending seccomp"]["found"]
    assert checks(document)["latch method"]["found"].startswith("hold")
    assert checks(document)["a latched container (runc)"]["state"] == "ok"


def test_a_host_without_runtimes(tmp_path: Path) -> None:
    """Every file named runc or crun is hidden behind an empty file."""
    (tmp_path / "empty").touch()
    hide = "for p in /usr/sbin/runc /usr/bin/runc /usr/bin/crun; do [ ! -e $p ] || "
    hide += f'mount --bind {tmp_path}/empty $p; done; exec "$@"'
    status, document = examine("unshare", "-m", "sh", "-c", hide, "sh")
    assert status == 1
    assert checks(document)["a container runtime"]["state"] == "fail"


def test_a_container_whose_supervisors_were_killed(tmp_path: Path) -> None:
    folder = tmp_path / "run/seclatch/supervised"
    held = hold_file(folder / "watched", b"")
    hold_file(folder / "web\x1b", b"").leave()
    [found] = check_abandoned(HostRoot(tmp_path))
    held.remove()
    assert (found.name, found.state.value) == ("container web?", "note")
    assert "it is not tightened" in found.found


def test_the_text_output() -> None:
    done = subprocess.run(DOCTOR, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "ok    suspending seccomp: " in done.stdout
    assert "\x1b" not in done.stdout  # colour is for terminals only
