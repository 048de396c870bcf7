"""The service of `seclatch install watch` under a booted systemd."""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Iterator

import pytest

from seclatch.engines.services.watch_service import LOG, NAME, TEMPLATE, UNIT
from seclatch.model.denial_log import LoggedDenial, LogLine, WatchEvent, decode_line
from tests.conftest import Compiler
from tests.latch.oci import SCRIPTS, status
from tests.watch.booted_systemd import SYSTEMD, BootedSystemd, boot, wait_for

pytestmark = pytest.mark.root

SECLATCH = str(SCRIPTS / "seclatch")
BITS = {"DAC_READ_SEARCH": 2, "SYS_PTRACE": 19, "AUDIT_READ": 37, "PERFMON": 38, "BPF": 39}
ANOTHER = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, compiler: Compiler) -> Iterator[BootedSystemd]:
    if not SYSTEMD.exists():
        (pytest.fail if os.environ.get("CI") else pytest.skip)("systemd is not installed")
    if SCRIPTS.is_relative_to("/tmp"):
        pytest.fail("the service has a /tmp of its own, and does not see this checkout")
    folder = tmp_path_factory.mktemp("systemd") / "root"
    folder.mkdir()
    with boot(folder) as booted:
        program = booted.path("/usr/local/bin/answers")
        shutil.copy(compiler("answers"), program)
        program.chmod(0o755)
        booted.run(SECLATCH, "install", "watch")
        wait_for(lambda: read_events(booted, "begin"), "the watcher to begin")
        yield booted


def read_log(host: BootedSystemd, path: str = LOG) -> list[LogLine]:
    file = host.path(path)
    content = file.read_bytes() if file.exists() else b""
    return [decode_line(line + b"\n") for line in content.split(b"\n")[:-1]]


def read_events(host: BootedSystemd, kind: str, path: str = LOG) -> list[WatchEvent]:
    return [
        one for one in read_log(host, path) if isinstance(one, WatchEvent) and one.event == kind
    ]


def count_denials(host: BootedSystemd) -> int:
    """Have another user's process be denied three calls; count what the log has of it."""
    host.run(*ANOTHER, "/usr/local/bin/answers", "errno_flag", status=None)
    return sum(
        one.count
        for one in read_log(host)
        if isinstance(one, LoggedDenial) and (one.exe, one.uid) == ("/usr/local/bin/answers", 65534)
    )


def test_it_runs_with_its_five_capabilities_and_sees_other_users(host: BootedSystemd) -> None:
    facts = status(host.find_main(NAME))
    wanted = sum(1 << bit for bit in BITS.values())
    assert {facts[name] for name in ("CapEff", "CapPrm", "CapBnd")} == {f"{wanted:016x}"}
    (given,) = re.findall(r"^CapabilityBoundingSet=(.*)$", TEMPLATE, re.MULTILINE)
    assert {name.removeprefix("CAP_") for name in given.split()} == set(BITS)
    assert (facts["NoNewPrivs"], facts["Seccomp"]) == ("1", "2")
    assert host.path(LOG).stat().st_mode & 0o777 == 0o600
    assert host.path(LOG).parent.stat().st_mode & 0o777 == 0o700
    wait_for(lambda: count_denials(host), "a denial in the log")


def test_it_comes_back_after_it_was_killed(host: BootedSystemd) -> None:
    before, begun = host.find_main(NAME), len(read_events(host, "begin"))
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: len(read_events(host, "begin")) == begun + 1, "the watcher to begin again")
    assert host.find_main(NAME) not in (0, before)
    assert host.show(NAME, "NRestarts") == "1"
    counted = count_denials(host)
    wait_for(lambda: count_denials(host) > counted, "a denial in the log")


def test_a_reload_opens_the_log_anew(host: BootedSystemd) -> None:
    main, moved = host.find_main(NAME), f"{LOG}.moved"
    host.path(LOG).rename(host.path(moved))
    host.run("systemctl", "reload", NAME)
    wait_for(lambda: count_denials(host), "a denial in the new log")
    assert host.find_main(NAME) == main and read_events(host, "begin", moved)


def test_it_stops_cleanly_and_is_undone(host: BootedSystemd) -> None:
    """The last of this file: the log stays."""
    host.run("systemctl", "stop", NAME)
    assert host.show(NAME, "Result") == "success" and host.show(NAME, "ExecMainStatus") == "0"
    last = read_log(host)[-1]
    assert isinstance(last, WatchEvent) and last.event == "end"
    host.run("systemctl", "start", NAME)
    host.run(SECLATCH, "uninstall", "watch")
    assert host.show(NAME, "LoadState") == "not-found"
    assert not host.path(UNIT).exists() and host.path(LOG).exists()
    assert LOG not in host.run("sh", "-c", "cat /proc/[0-9]*/cmdline")
