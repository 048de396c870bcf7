"""A service of a real systemd: process 1 of a pid namespace with a control group of its own."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Compiler
from tests.latch.oci import wait_until
from tests.process.conftest import seclatch

pytestmark = pytest.mark.root

SYSTEMD = Path("/lib/systemd/systemd")
GROUP = f"seclatch-systemd-{os.getpid()}"
UNIT = """[Unit]
DefaultDependencies=no
[Service]
ExecStart={program}
{settings}
"""
ALL = """SystemCallFilter=@system-service
RestrictRealtime=yes
LockPersonality=yes
ProtectKernelLogs=yes
ProtectHostname=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectClock=yes
PrivateDevices=yes
RestrictNamespaces=yes
SystemCallArchitectures=native
"""
# The group's namespace is entered from within the group: systemd then sees it as the root.
START = f"""
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /run
umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup
mkdir -p /run/systemd/system /run/lock /sys/fs/cgroup/{GROUP}
echo 1 > /sys/fs/cgroup/{GROUP}/cgroup.procs
printf %s "$1" > /run/systemd/system/web.service
printf %s "$1" > /run/systemd/system/also.service
exec unshare -C sh -c 'umount /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup
exec env container=test {SYSTEMD} --system --unit=web.service --log-target=null --show-status=0'
"""


@contextmanager
def service(program: str, settings: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Start a unit; yield the pid of its systemd, and the unit's row of `ps` run beside systemd."""
    if not SYSTEMD.exists():
        (pytest.fail if os.environ.get("CI") else pytest.skip)("systemd is not installed")
    unit = UNIT.format(program=program, settings=settings)
    words = ["unshare", "-pmf", "--mount-proc", "--kill-child", "sh", "-c", START, "sh", unit]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        try:
            manager = wait_until(lambda: children(process.pid), "systemd")
            yield manager, wait_until(lambda: ask(manager, program), "the unit to start")
        finally:
            process.kill()
    remove_groups()


def children(pid: int) -> str:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().strip()


def ask(manager: str, program: str) -> dict[str, Any]:
    done = seclatch("ps", "--json", before=["nsenter", "-t", manager, "-m", "-p", "--"])
    found = json.loads(done.stdout)["processes"] if done.stdout else []
    named = [each for each in found if each["command"] == program.split()]
    return named[0] if named and named[0]["filters"] else {}


def remove_groups() -> None:
    """Remove the groups from the unified hierarchy, wherever this host mounts it."""
    for root in (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup")):
        top = root / GROUP
        if top.is_dir():
            inner = sorted(
                (Path(one) for one, _, _ in os.walk(top) if one != str(top)), reverse=True
            )
            for group in (*inner, top):
                wait_until(lambda g=group: gone(g), f"{group} to be empty")


def gone(group: Path) -> bool:
    try:
        group.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


SLEEP = "/bin/sleep 1234"


def names(found: dict[str, Any]) -> set[tuple[str | None, bool]]:
    return {(layer["profile"], layer["by"]["certain"]) for layer in found["layers"]}


def test_each_filter_of_a_unit_is_named_for_its_setting() -> None:
    with service(SLEEP, ALL) as (_, found):
        assert found["filters"] >= len(ALL.split())
    assert {layer["by"]["cause"] for layer in found["layers"]} == {"unit"}
    assert {layer["by"]["name"] for layer in found["layers"]} == {"web.service"}
    settings = [line.partition("=")[0] for line in ALL.split()]
    assert names(found) == {(f"web.service {setting}", True) for setting in settings}


@pytest.mark.parametrize(
    "settings",
    [
        "SystemCallFilter=~@mount @swap",
        "SystemCallFilter=~@mount\nSystemCallErrorNumber=EPERM",
        "SystemCallFilter=@basic-io @process @file-system\nSystemCallErrorNumber=EACCES",
    ],
)
def test_lists_of_calls(settings: str) -> None:
    with service(SLEEP, settings) as (_, found):
        assert names(found) == {("web.service SystemCallFilter", True)}


def loaded(manager: str, program: str) -> dict[str, Any]:
    found = ask(manager, program)
    return found if found and len(names(found)) > 1 else {}


def test_a_filter_loaded_by_the_program_is_not_the_unit_s(compiler: Compiler) -> None:
    program = f"{compiler('filter_stack')} main 1"
    with service(program, "LockPersonality=yes") as (manager, _):
        found = wait_until(lambda: loaded(manager, program), "it to load its own")
    own, *others = found["layers"]
    assert (own["profile"], own["by"]["certain"]) == (None, False)
    assert {(each["profile"], each["by"]["certain"]) for each in others} == {
        ("web.service LockPersonality", True)
    }


def test_units_with_the_same_setting() -> None:
    """Equal programs: each is attributed to its own unit."""
    with service(SLEEP, "LockPersonality=yes") as (manager, _):
        nsenter = ["nsenter", "-t", manager, "-m", "-p", "--"]
        subprocess.run([*nsenter, "systemctl", "start", "also.service"], check=True)
        done = seclatch("ps", "--json", "--name", "sleep", before=nsenter)
    both = [names(each) for each in json.loads(done.stdout)["processes"]]
    assert sorted(both, key=str) == [
        {("also.service LockPersonality", True)},
        {("web.service LockPersonality", True)},
    ]


def test_from_outside_the_attribution_is_a_guess() -> None:
    """The systemd of another pid namespace is not queried: it cannot be trusted."""
    with service(SLEEP, "SystemCallFilter=@system-service"):
        processes = json.loads(seclatch("ps", "--json", "--name", "sleep").stdout)["processes"]
        (found,) = [each for each in processes if each["command"] == SLEEP.split()]
        asked = seclatch("filter", str(found["pid"]), "--test", "mount", "--test", "read")
    assert {layer["by"]["name"] for layer in found["layers"]} == {"web.service"}
    assert names(found) == {(None, False)}
    first, *_ = asked.stdout.splitlines()
    assert first == "mount: SCMP_ACT_KILL_PROCESS"
    assert "read: SCMP_ACT_ALLOW" in asked.stdout
