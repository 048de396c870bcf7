"""Credentials: other users, set-uid programs, user namespaces, terminals."""

from __future__ import annotations

import os
import pty
import select
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.latch.oci import Bundle, Runtime, case

pytestmark = pytest.mark.root


def with_calls(*names: str) -> dict[str, Any]:
    profile = case("stali-like")
    profile["syscalls"][0]["names"] += names
    return profile


def run(runtime: Runtime, bundle: Bundle) -> subprocess.CompletedProcess[str]:
    bundle.write()
    done = runtime("run", "--bundle", bundle.path, bundle.id)
    runtime("delete", "--force", bundle.id)
    return done


@pytest.mark.parametrize("program", ["/bin/whoami", "/bin/suid"])
def test_a_setuid_program_gains_what_it_gains_without_the_latch(
    plain: Runtime,
    latched: Runtime,
    bundle: Callable[..., Bundle],
    no_new_privileges: bool,
    program: str,
) -> None:
    permissive = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["mkdirat"], "action": "SCMP_ACT_ERRNO"}],
    }
    made = bundle([program], seccomp=permissive, no_new_privileges=no_new_privileges)
    made.config["process"]["user"] = {"uid": 1000, "gid": 1000}
    for mount in made.config["mounts"]:
        mount["options"] = [o for o in mount.get("options", []) if o != "nosuid"]
    expected = "1000 0" if program == "/bin/suid" and not no_new_privileges else "1000 1000"
    assert run(plain, made).stdout.strip() == expected
    assert run(latched, made).stdout.strip() == expected
    made.config["linux"]["seccomp"] = case("stali-like")
    assert run(latched, made).stdout.strip() == expected


def test_another_user(
    latched: Runtime, bundle: Callable[..., Bundle], no_new_privileges: bool
) -> None:
    made = bundle(["/bin/exit42"], seccomp=case("exit-only"), no_new_privileges=no_new_privileges)
    made.config["process"]["user"] = {"uid": 1000, "gid": 1000, "additionalGids": [5, 6]}
    assert run(latched, made).returncode == 42


@pytest.fixture
def dev_null_is_kept() -> Any:
    """Restore the host's /dev/null: plain crun with a user namespace may chown it."""
    before = Path("/dev/null").stat()
    yield
    after = Path("/dev/null").stat()
    os.chown("/dev/null", before.st_uid, before.st_gid)
    Path("/dev/null").chmod(before.st_mode & 0o7777)
    assert (after.st_rdev, after.st_mode) == (before.st_rdev, before.st_mode)


def test_a_user_namespace(
    latched: Runtime,
    bundle: Callable[..., Bundle],
    no_new_privileges: bool,
    dev_null_is_kept: None,
) -> None:
    made = bundle(["/bin/exit42"], seccomp=case("exit-only"), no_new_privileges=no_new_privileges)
    linux = made.config["linux"]
    linux["namespaces"].append({"type": "user"})
    linux["uidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    linux["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    done = run(latched, made)
    assert done.returncode == 42, done.stderr


def test_a_terminal(
    latched: Runtime, bundle: Callable[..., Bundle], no_new_privileges: bool
) -> None:
    made = bundle(
        ["/bin/sh", "-c", "test -t 0 && test -t 1 && read word && echo got=$word"],
        seccomp=case("stali-like"),
        no_new_privileges=no_new_privileges,
    )
    made.config["process"]["terminal"] = True
    made.write()
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        latched.argv("run", "--bundle", made.path, made.id),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    os.write(ours, b"hello\n")
    seen = b""
    while b"got=hello" not in seen and select.select([ours], [], [], 20)[0]:
        try:
            seen += os.read(ours, 1000)
        except OSError:
            break
    assert process.wait(60) == 0, seen
    assert b"got=hello" in seen
    os.close(ours)


def test_a_large_group_list_does_not_hide_the_filter(
    latched: Runtime, bundle: Callable[..., Bundle]
) -> None:
    """/proc/PID/status lists groups before the seccomp state; the tracer must read past them."""
    made = bundle(["/bin/exit42"], seccomp=case("exit-only"))
    made.config["process"]["user"] = {
        "uid": 0,
        "gid": 0,
        "additionalGids": list(range(100_000, 102_000)),
    }
    assert run(latched, made).returncode == 42
