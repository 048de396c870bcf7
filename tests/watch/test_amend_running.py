"""`seclatch amend --container`: a running container is watched, and its denials are offered."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.latch.oci import SCRIPTS, Bundle, Runtime, make_bundle, running

pytestmark = pytest.mark.root

RUNTIME = Runtime("runc")
LOOP = "while sleep 0.1; do mkdir /tmp; test -e /end && exit; done"
PROFILE = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [
        {"names": ["read"], "action": "SCMP_ACT_ALLOW", "comment": "kept"},
        {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13},
    ],
}
SECLATCH = str(SCRIPTS / "seclatch")
AMEND = [SECLATCH, "amend", "given.json", "--overrule", "mkdir"]


@pytest.fixture
def bundle(tmp_path: Path, rootfs: Path, monkeypatch: pytest.MonkeyPatch) -> Bundle:
    monkeypatch.chdir(tmp_path)
    Path("given.json").write_text(json.dumps(PROFILE, indent=2))
    return make_bundle(
        tmp_path / "bundle", rootfs, ["/bin/busybox", "sh", "-c", LOOP], seccomp=PROFILE
    )


def start(*words: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen([*AMEND, *words], stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def amended(path: str = "given.json") -> list[str]:
    rules = json.loads(Path(path).read_text())["syscalls"]
    return [name for rule in rules if rule["action"] == "SCMP_ACT_ALLOW" for name in rule["names"]]


def test_it_is_watched_until_the_signal_and_asked_for(bundle: Bundle) -> None:
    with running(RUNTIME, bundle):
        process = start("--container", bundle.id)
        assert process.stderr
        shown = [process.stderr.readline()]
        while "mkdir(" not in shown[-1]:
            shown.append(process.stderr.readline())
            assert shown[-1], shown
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate("y\n", timeout=60)
    assert process.returncode == 0, errors
    assert '"/tmp"' in shown[-1] and "EACCES" in shown[-1]
    assert f"(watch of {bundle.id})" in output and "Write given.json?" in errors
    assert amended() == ["read", "mkdir"]
    assert '"comment": "kept"' in Path("given.json").read_text()


def test_it_is_watched_for_a_while(bundle: Bundle) -> None:
    with running(RUNTIME, bundle):
        done = start("--container", bundle.id, "--for", "2s", "--yes", "-o", "new.json")
        _, errors = done.communicate(timeout=60)
    assert done.returncode == 0, errors
    assert amended("new.json") == ["read", "mkdir"] and amended() == ["read"]


def test_the_end_of_the_container_ends_it(bundle: Bundle) -> None:
    with running(RUNTIME, bundle) as pid:
        process = start("--container", bundle.id, "--yes", "--json")
        assert process.stderr
        while "mkdir(" not in (line := process.stderr.readline()):
            assert line
        os.kill(pid, signal.SIGKILL)
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert f"the container {bundle.id} has ended" in errors
    document = json.loads(output)
    assert [call["calls"] for call in document["amended"]] == [["mkdir"]]
    assert document["sources"] == [f"watch of {bundle.id}"]


def test_a_container_that_is_not_there_is_named(bundle: Bundle) -> None:
    process = start("--container", "nothing-of-this-name")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "there is no container nothing-of-this-name" in errors and amended() == ["read"]
