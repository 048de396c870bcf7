"""The profile binds the command: from its first instruction, and only it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.conftest import Run

from .conftest import PROFILES

STRICT = PROFILES / "stali-like.json"


@pytest.mark.parametrize("flags", [(), ("--no-new-privs",)])
@pytest.mark.parametrize("user", ["0", "1000:1000"])
def test_profile_that_allows_only_the_exit(run: Run, exit_42: Path, flags: Any, user: Any) -> None:
    result = run(
        *flags,
        "--user",
        user,
        "--profile",
        PROFILES / "exit-only.json",
        "--rootfs",
        exit_42,
        "/exit42",
    )
    assert (result.returncode, result.stderr) == (42, "")


def test_plain_fails_where_the_latch_starts(run: Run) -> None:
    plain = run("--plain", "--profile", STRICT, "--", "true")
    assert plain.returncode == 125
    # the first denied call varies, and with it the text
    assert re.search("operation not permitted|already dead|read from", plain.stderr, re.I)
    latched = run("--profile", STRICT, "--", "grep", "Seccomp", "/proc/self/status")
    assert latched.returncode == 0
    assert latched.stdout == "Seccomp:\t2\nSeccomp_filters:\t1\n"


def test_denied_call(run: Run, tmp_path: Path) -> None:
    profile = tmp_path / "no-mkdir.json"
    rule = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 7}
    profile.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}))
    result = run("--profile", profile, "--", "mkdir", "/x")
    assert "Argument list too long" in result.stderr  # E2BIG: 7


def test_conditions_follow_the_containers_capabilities(run: Run, tmp_path: Path) -> None:
    rule = {
        "names": ["mkdir", "mkdirat"],
        "action": "SCMP_ACT_ERRNO",
        "excludes": {"caps": ["CAP_SYS_TIME"]},
    }
    profile = tmp_path / "conditional.json"
    profile.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}))
    assert run("--profile", profile, "mkdir", "/x").returncode == 1
    assert run("--profile", profile, "--cap-add", "sys_time", "mkdir", "/x").returncode == 0


def test_bad_profile(run: Run, tmp_path: Path) -> None:
    profile = tmp_path / "bad.json"
    profile.write_text('{"defaultAction": "SCMP_ACT_NEVER"}')
    result = run("--profile", profile, "true")
    assert result.returncode == 2
    assert str(profile) in result.stderr
    assert "Traceback" not in result.stderr
    assert run("--profile", tmp_path / "absent.json", "true").returncode == 2


def test_dry_run_prints_the_configuration_and_starts_nothing(run: Run, exit_42: Path) -> None:
    result = run("--dry-run", "--profile", STRICT, "--rootfs", exit_42, "/exit42")
    config = json.loads(result.stdout)
    assert (result.returncode, result.stderr) == (0, "")
    assert config["linux"]["seccomp"]["defaultAction"] == "SCMP_ACT_ERRNO"
    assert config["process"]["args"] == ["/exit42"]


def test_without_the_latch_nothing_starts(argv: Callable[..., list[str]], tmp_path: Path) -> None:
    """Nothing falls back to the bare runtime."""
    code = (
        "import sysconfig; sysconfig.get_path = lambda _: '/nonexistent'\n"
        "from seclatch.cli.main import main; main()"
    )
    command = argv("--profile", STRICT, "--", "true")
    command[2] = code
    path = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "XDG_CACHE_HOME": str(tmp_path)}
    environment = {key: value for key, value in os.environ.items() if key == "PYTHONPATH"} | path
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 125
    assert "the latch" in result.stderr


@pytest.mark.parametrize(
    ("mode", "flags", "road"),
    [
        ("auto", (), "suspend"),
        ("gate", (), "gate"),
        ("gate", ("--no-new-privs",), "hold"),
        ("gate", ("--cap-add", "SYS_ADMIN"), "gate+exact"),
        ("refuse", (), "suspend"),
    ],
)
def test_a_latch_given_by_its_path(
    run: Run, exit_42: Path, tmp_path: Path, mode: Any, flags: Any, road: Any
) -> None:
    log = tmp_path / "starts"
    result = run(
        "--latch",
        mode,
        *flags,
        "--profile",
        PROFILES / "exit-only.json",
        "--rootfs",
        exit_42,
        "/exit42",
        env={**os.environ, "SECLATCH_LOG": str(log)},
    )
    assert (result.returncode, result.stderr) == (42, "")
    assert [json.loads(line)["road"] for line in log.read_text().splitlines()] == [road]
