"""The recorder's service under a booted systemd: installed, killed, upgraded, removed."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from seclatch.engines.services.annotation_recorder import PROGRAM
from seclatch.engines.services.recorder_service import NAME, TEMPLATE, UNIT
from seclatch.model.recorder_limits import DIRECTORY
from seclatch.recording.files import recording_file
from seclatch.system.recorder_client import DEFAULT_SOCKET
from tests.latch.oci import SCRIPTS, make_bundle, status
from tests.watch.booted_systemd import SYSTEMD, BootedSystemd, boot, wait_for

pytestmark = pytest.mark.root

SECLATCH = str(SCRIPTS / "seclatch")
FRONT = "/usr/local/lib/seclatch/podman/runc"
BITS = {"DAC_READ_SEARCH": 2, "SYS_PTRACE": 19, "PERFMON": 38, "BPF": 39}


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BootedSystemd]:
    if not SYSTEMD.exists() or not shutil.which("runc"):
        (pytest.fail if os.environ.get("CI") else pytest.skip)("systemd or runc is not installed")
    folder = tmp_path_factory.mktemp("systemd") / "root"
    folder.mkdir()
    with boot(folder) as booted:
        booted.run("mkdir", "-p", "/etc/containers")
        words = ("podman", "--runtime", "runc", "--record-annotations")
        assert "systemctl restart" in booted.run(SECLATCH, "install", *words, "--dry-run")
        assert not booted.path(UNIT).exists()
        booted.run(SECLATCH, "install", *words)
        yield booted


@pytest.fixture(scope="module")
def bundle(host: BootedSystemd, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Make the bundle of an annotated container below the host's /run."""
    folder = tmp_path_factory.mktemp("bundle")
    made = make_bundle(folder, Path("rootfs"), ["/bin/sleep", "1000"], seccomp=None)
    made.config["annotations"] = {"seclatch.record": "web"}
    made.config["linux"].pop("resources", None)
    root = host.path("/run/bundle")
    (root / "rootfs/bin").mkdir(parents=True)
    for name in ("proc", "dev", "sys"):
        (root / "rootfs" / name).mkdir()
    for name in ("sleep", "true"):
        shutil.copy("/usr/bin/busybox", root / "rootfs/bin" / name)
    (root / "config.json").write_text(json.dumps(made.config))
    return "/run/bundle"


def start_detached(host: BootedSystemd, *words: str) -> None:
    """Start a container, whose streams are those of the command."""
    host.run("sh", "-c", 'exec "$@" </dev/null >/dev/null 2>&1', "sh", FRONT, *words)


def kept(host: BootedSystemd) -> list[Path]:
    return sorted(host.path(DIRECTORY).glob("*.json.gz"))


def test_it_runs_with_its_capabilities_before_install_returns(host: BootedSystemd) -> None:
    facts = status(host.find_main(NAME))
    wanted = sum(1 << bit for bit in BITS.values())
    assert {facts[name] for name in ("CapEff", "CapPrm", "CapBnd")} == {f"{wanted:016x}"}
    (given,) = re.findall(r"^CapabilityBoundingSet=(.*)$", TEMPLATE, re.MULTILINE)
    assert {name.removeprefix("CAP_") for name in given.split()} == set(BITS)
    assert (facts["NoNewPrivs"], facts["Seccomp"]) == ("1", "2")
    socket = host.path(DEFAULT_SOCKET)
    assert (socket.stat().st_mode & 0o777, socket.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_container_is_recorded_across_a_kill_and_an_upgrade(
    host: BootedSystemd, bundle: str
) -> None:
    for left in kept(host):  # of a first try (decision 0083)
        left.unlink()
    start = ["run", "--detach", "--bundle", bundle, "one"]
    start_detached(host, *start)
    host.run(SECLATCH, "record", "flush", "web")
    [state] = host.path(DIRECTORY).glob(".running-*")
    wait_for(lambda: '"identity":{' in state.read_text(), "the container to be entered")
    before = host.find_main(NAME)
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: host.find_main(NAME) not in (0, before), "systemd to start it again")
    wait_for(lambda: "web-" in host.run(SECLATCH, "record", "flush", "web", status=None), "it")
    host.run(FRONT, "exec", "one", "/bin/true")
    script = host.path(PROGRAM)
    script.write_text(script.read_text() + "# of an earlier version\n")
    host.run(SECLATCH, "install", "podman", "--runtime", "runc", "--record-annotations")
    host.run(FRONT, "delete", "--force", "one")

    def complete() -> bool:
        [path] = kept(host)
        return recording_file.read_recording(path).complete

    wait_for(complete, f"the end of the recording: {host.run('journalctl', '-n', '20')}")
    recording = recording_file.read_recording(kept(host)[0])
    assert len(recording.gaps) == 2
    executed = [image.argv[0] for each in recording.processes for image in each.images]
    assert "/bin/true" in executed
    assert {each.stage for each in recording.calls} >= {"runtime", "init", "program"}


def test_it_is_stopped_and_removed(host: BootedSystemd, bundle: str) -> None:
    """The last of this file: recordings stay, and containers start as before."""
    before = kept(host)
    host.run("systemctl", "stop", NAME)
    assert host.show(NAME, "Result") == "success" and host.show(NAME, "ExecMainStatus") == "0"
    start_detached(host, "run", "--bundle", bundle, "--detach", "two")
    assert "not recorded: two" in host.run("journalctl", "--no-pager", "-t", "seclatch")
    host.run(FRONT, "delete", "--force", "two")
    found = host.run(SECLATCH, "doctor", status=None)
    assert "nothing is recorded" in found
    host.run("systemctl", "start", NAME)
    host.run(SECLATCH, "uninstall", "podman")
    assert host.show(NAME, "LoadState") == "not-found"
    assert not host.path(UNIT).exists() and not host.path(PROGRAM).exists()
    assert kept(host) == before
    assert PROGRAM not in host.run("sh", "-c", "cat /proc/[0-9]*/cmdline")
