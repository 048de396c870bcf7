"""Tests that need an arm64 kernel and its packages, run by `make test-arm64`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seclatch.model.arch import Arch
from seclatch.profile.compile.compile_profile import Runtime as Compiled
from seclatch.profile.compile.compile_profile import compile_profile
from seclatch.profile.parse.load_profile import parse_profile
from tests.conftest import Compiler
from tests.latch.oci import CASES, Bundle, Runtime, case, running, wait_until

MakeBundle = Callable[..., Bundle]
SIGSYS = 31
EPERM = 1


def ask(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the installed `seclatch`."""
    return subprocess.run(
        [sys.executable, "-m", "seclatch", *words], capture_output=True, text=True, check=False
    )


def has_sve() -> bool:
    words = Path("/proc/cpuinfo").read_text().split()
    return "sve" in words


def test_this_is_arm64() -> None:
    assert Arch.native() is Arch.AARCH64


def test_doctor() -> None:
    done = ask("doctor", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = {check["name"]: check["state"] for check in json.loads(done.stdout)["checks"]}
    for each in ("runc", "crun", "suspending seccomp"):
        assert found[each] == "ok", found
    assert found["docker"] == "note", "it is installed and does not run"
    assert found["a latched container (runc)"] == found["a latched container (crun)"] == "ok"


def test_the_error_of_plain_crun(bundle: MakeBundle) -> None:
    """The negative control, with its message: crun's is always the same, plain runc may hang."""
    made = bundle(["/bin/grep", "Seccomp:", "/proc/self/status"], seccomp=case("stali-like"))
    done = Runtime("crun", latched=False)("run", "--bundle", made.path, made.id)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Operation not permitted" in done.stderr
    done = Runtime("crun")("run", "--bundle", made.path, made.id)
    assert (done.returncode, done.stdout.split()) == (0, ["Seccomp:", "2"])


def test_tracing_without_suspension_is_not_enough(bundle: MakeBundle) -> None:
    """The control for the suspension: under a tracer that suspends nothing crun fails as bare."""
    made = bundle(["/bin/exit42"], seccomp=case("exit-only"))
    words = Runtime("crun", latched=False).argv("run", "--bundle", made.path, made.id)
    done = subprocess.run(
        ["strace", "-f", "-qq", "-o", "/dev/null", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode not in (0, 42)


@pytest.mark.parametrize("case_", ["stali-like", "engine-like"])
def test_the_kernel_s_filter_equals_the_compiled_one(
    name: str,
    bundle: MakeBundle,
    case_: str,
    tmp_path: Path,
) -> None:
    from seclatch.system.read_filters import read_filters

    seccomp = case("stali-like") if case_ == "stali-like" else engine_like()
    program = compile_profile(parse_profile(json.dumps(seccomp), case_), runtime=Compiled(name))
    made = bundle(["/bin/sleep", "100"], seccomp=seccomp)
    with running(Runtime(name), made) as pid:
        wait_until(lambda: "TracerPid:\t0" in Path(f"/proc/{pid}/status").read_text(), "release")
        filters = read_filters(pid)
    assert len(filters) == 1
    assert filters[0] in (program.code, *program.alternatives)


def engine_like() -> dict[str, Any]:
    """Return Podman's default profile for arm64, with 32-bit ARM."""
    done = ask(
        "profile",
        "resolve",
        "--engine",
        "podman",
        "--arch",
        "arm64",
        "/usr/share/containers/seccomp.json",
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert "SCMP_ARCH_ARM" in found["architectures"]
    return found


def test_ps_and_filter_of_a_live_container(name: str, bundle: MakeBundle) -> None:
    made = bundle(["/bin/sleep", "100"], seccomp=case("stali-like"))
    with running(Runtime(name), made) as pid:
        listed = ask("ps", "--json")
        assert listed.returncode == 0, listed.stderr
        found = {each["pid"]: each for each in json.loads(listed.stdout)["processes"]}
        assert (found[pid]["seccomp"], found[pid]["filters"]) == (2, 1)
        for profile, same in ((CASES / "stali-like.json", 0), (CASES / "exit-only.json", 1)):
            asked = ask("filter", str(pid), "--against", profile, "--runtime", name)
            assert asked.returncode == same, asked.stdout + asked.stderr


def test_sve_needs_uname(latched: Runtime, bundle: MakeBundle) -> None:
    """glibc calls uname for the kernel's version at a program's start where the CPU has SVE."""
    profile = case("stali-like")
    made = bundle(["/bin/true"], seccomp=profile)
    assert latched("run", "--bundle", made.path, made.id).returncode == 0
    profile["syscalls"][0]["names"].remove("uname")
    without = bundle(["/bin/true"], seccomp=profile)
    done = latched("run", "--bundle", without.path, without.id)
    assert (done.returncode != 0) == has_sve()


@pytest.fixture
def program32(rootfs: Path, compiler: Compiler) -> str:
    """Put a 32-bit ARM program into the container's root, if this CPU runs such programs."""
    built = compiler("first_denied32")
    try:
        subprocess.run([built], check=True)
    except OSError as error:
        pytest.skip(f"this CPU has no 32-bit mode for programs: {error.strerror}")
    target = rootfs / "bin/first_denied32"
    target.write_bytes(built.read_bytes())
    target.chmod(0o755)
    return "/bin/first_denied32"


def test_a_32_bit_program(program32: str, latched: Runtime, bundle: MakeBundle) -> None:
    """Without SCMP_ARCH_ARM it is killed whatever the default; with it, ARM's own numbers apply."""
    free = bundle([program32], seccomp=None)
    assert latched("run", "--bundle", free.path, free.id).returncode == 0
    profile: dict[str, Any] = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "syscalls": [{"names": ["exit_group"], "action": "SCMP_ACT_ALLOW"}],
    }
    alone = bundle([program32], seccomp=profile | {"architectures": ["SCMP_ARCH_AARCH64"]})
    assert latched("run", "--bundle", alone.path, alone.id).returncode == 128 + SIGSYS
    arches = ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]
    both = bundle([program32], seccomp=profile | {"architectures": arches})
    assert latched("run", "--bundle", both.path, both.id).returncode == EPERM


def test_a_recording_of_a_32_bit_program(program32: str, rootfs: Path, tmp_path: Path) -> None:
    path = tmp_path / "32.recording.json"
    done = ask("record", "-o", path, "--", str(rootfs) + program32)
    assert done.returncode == 0, done.stderr
    calls = json.loads(path.read_text())["calls"]
    found = [
        (each["name"], each["number"], each["count"]) for each in calls if each["arch"] == "arm"
    ]
    assert found == [("personality", 136, 1), ("exit_group", 248, 1)]
