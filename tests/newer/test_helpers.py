"""Helper processes of runc 1.2 and later: children that the runtime itself traces.

They make user namespaces for idmapped mounts (`SysProcAttr.Ptrace`, which calls PTRACE_TRACEME:
that fails with EPERM in a child that is traced from its birth), and open mounts' sources.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.latch.conftest import bundle, latched, mode, name, plain  # noqa: F401 (fixtures)
from tests.latch.oci import Bundle, Runtime, case

pytestmark = pytest.mark.root

IDS = [{"containerID": 0, "hostID": 100000, "size": 65536}]
OTHER_IDS = [{"containerID": 0, "hostID": 200000, "size": 65536}]


@pytest.fixture(params=["suspend", "gate"])
def road(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("SECLATCH_MODE", request.param)
    return str(request.param)


def read_version(name: str) -> tuple[int, ...]:
    text = subprocess.run([name, "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(map(int, re.findall(r"\d+", text)[:2]))


def test_the_runtimes_are_newer_than_the_host_s() -> None:
    """Otherwise the following tests prove nothing about newer runtimes."""
    assert read_version("runc") >= (1, 2)
    assert read_version("crun") >= (1, 22)


def idmapped(
    make: Callable[..., Bundle], tmp_path: Path, *, user_namespace: bool, own: bool
) -> Bundle:
    """Make a bundle with an idmapped mount of another user's file; its command lists it."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "file").write_text("")
    made = make(["/bin/ls", "-ln", "/mnt/file"], seccomp=case("stali-like"))
    linux = made.config["linux"]
    mount: dict[str, object] = {
        "destination": "/mnt",
        "source": str(source),
        "type": "bind",
        "options": ["bind", "idmap"],
    }
    if own or not user_namespace:
        mount |= {"uidMappings": OTHER_IDS, "gidMappings": OTHER_IDS}
    if user_namespace:
        linux["namespaces"].append({"type": "user"})
        linux |= {"uidMappings": IDS, "gidMappings": IDS}
    made.config["mounts"].append(mount)
    made.write()
    return made


CASES = {
    "by-the-mount-s-own-ids": ({"user_namespace": False, "own": True}, "200000"),
    "by-the-container-s-ids": ({"user_namespace": True, "own": False}, "0"),
    "by-both": ({"user_namespace": True, "own": True}, ""),
}


@pytest.mark.parametrize("which", CASES)
def test_an_idmapped_mount(
    name: str,
    bundle: Callable[..., Bundle],
    tmp_path: Path,
    road: str,
    which: str,
) -> None:
    """Latched under a strict profile, the mount equals the bare runtime's without a profile."""
    options, wanted = CASES[which]
    made = idmapped(bundle, tmp_path, **options)
    profile = made.config["linux"].pop("seccomp")
    made.write()
    bare = run(Runtime(name, latched=False), made)
    made.config["linux"]["seccomp"] = profile
    made.write()
    done = run(Runtime(name), made)
    assert (done.returncode, done.stdout) == (bare.returncode, bare.stdout), done.stderr
    if wanted:
        assert (bare.returncode, bare.stdout.split()[2:3]) == (0, [wanted]), bare.stderr


def run(runtime: Runtime, made: Bundle) -> subprocess.CompletedProcess[str]:
    done = runtime("run", "--bundle", made.path, made.id)
    runtime("delete", "--force", made.id)
    return done


@pytest.mark.parametrize("name", ["runc"])
def test_tracing_the_whole_tree_breaks_it(
    name: str,
    bundle: Callable[..., Bundle],
    tmp_path: Path,
) -> None:
    """The control: runc's helper asks to be traced by runc, which strace -f prevents."""
    made = idmapped(bundle, tmp_path, user_namespace=False, own=True)
    made.config["linux"].pop("seccomp")
    made.write()
    words = Runtime(name, latched=False).argv("run", "--bundle", made.path, made.id)
    done = subprocess.run(
        ["strace", "-f", "-qq", "-o", "/dev/null", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    Runtime(name, latched=False)("delete", "--force", made.id)
    assert done.returncode != 0
    assert "operation not permitted" in done.stderr
