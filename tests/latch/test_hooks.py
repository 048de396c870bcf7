"""Hooks of every kind run as they do without the latch, and the program comes after them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.latch.oci import READ_STATE, Bundle, Runtime, case, running

pytestmark = pytest.mark.root

HOST = ["prestart", "createRuntime", "createContainer", "poststart", "poststop"]
# Calls of a startContainer hook that writes a file, beside those of the profile.
REPORT = READ_STATE + "grep -E '^(Seccomp|TracerPid|NoNewPrivs):' /proc/self/status >{}"

PERMISSIVE = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [{"names": ["mkdirat"], "action": "SCMP_ACT_ERRNO"}],
}


def add_hooks(bundle: Bundle, out: Path) -> None:
    out.mkdir(exist_ok=True)
    out.chmod(0o777)
    bundle.config["hooks"] = {
        kind: [{"path": "/bin/sh", "args": ["sh", "-c", REPORT.format(out / kind)]}]
        for kind in HOST
    }
    bundle.config["hooks"]["startContainer"] = [
        {"path": "/bin/sh", "args": ["sh", "-c", REPORT.format("/tmp/startContainer")]}
    ]
    bundle.config["mounts"].append(
        {"destination": "/tmp", "type": "bind", "source": str(out), "options": ["bind", "rw"]}
    )
    bundle.write()


def observe(runtime: Runtime, bundle: Bundle, out: Path) -> dict[str, str]:
    add_hooks(bundle, out)
    with running(runtime, bundle):
        pass
    return {kind: (out / kind).read_text() for kind in [*HOST, "startContainer"]}


def test_hooks_see_the_same_as_without_the_latch(
    plain: Runtime,
    latched: Runtime,
    bundle: Callable[..., Bundle],
    no_new_privileges: bool,
    tmp_path: Path,
) -> None:
    made = bundle(["/bin/sleep", "100"], seccomp=PERMISSIVE, no_new_privileges=no_new_privileges)
    bare = observe(plain, made, tmp_path / "bare")
    made.config["mounts"].pop()
    under = observe(latched, made, tmp_path / "latched")
    assert under == bare
    assert all("TracerPid:\t0" in text for text in under.values())


def test_a_start_hook_under_a_strict_profile_is_bound_by_it(
    latched: Runtime, bundle: Callable[..., Bundle], no_new_privileges: bool, tmp_path: Path
) -> None:
    profile = case("stali-like")
    profile["syscalls"][0]["names"] += ["fcntl", "close"]  # the hook's shell
    made = bundle(["/bin/sleep", "100"], seccomp=profile, no_new_privileges=no_new_privileges)
    seen = observe(latched, made, tmp_path / "strict")
    # both runtimes have loaded the filter when start hooks run, whatever no_new_privs is
    assert "Seccomp:\t2" in seen["startContainer"]
    assert "Seccomp:\t0" in seen["createContainer"]
    with running(latched, made) as pid:
        assert "Seccomp:\t2" in Path(f"/proc/{pid}/status").read_text()


def test_a_failing_start_hook_starts_nothing(
    latched: Runtime, bundle: Callable[..., Bundle], tmp_path: Path
) -> None:
    made = bundle(["/bin/touch", "/tmp/ran"], seccomp=case("stali-like"))
    add_hooks(made, tmp_path / "out")
    made.config["hooks"]["startContainer"][0] = {"path": "/bin/exit42"}
    made.write()
    assert latched("run", "--bundle", made.path, made.id).returncode != 0
    latched("delete", "--force", made.id)
    assert not (tmp_path / "out/ran").exists()
