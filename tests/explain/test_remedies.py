"""The remedies work when pasted: the same program runs with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seclatch.model.arch import Arch
from seclatch.model.syscall import load_syscalls
from tests.explain.conftest import Explain, Explained
from tests.explain.corpus import Setup, all_setups, allowing, denying
from tests.latch.oci import Bundle, Runtime, make_bundle

pytestmark = pytest.mark.root


def setup(name: str) -> Setup:
    return next(each for each in all_setups() if each.name == name)


def again(name: str, profile: dict[str, Any], place: Path, rootfs: Path) -> int:
    """Return the exit status of a set-up's program under another profile."""
    found = setup(name)
    made = make_bundle(place, rootfs, found.args, seccomp=profile)
    done = Runtime(found.runtime, latched=False)("run", "--bundle", made.path, made.id)
    return done.returncode


def remedy(done: Explained, kind: str, word: str) -> Any:
    """Return the rules of the remedy of that kind whose text has the word."""
    [found] = [
        each["rules"]
        for each in done.document["remedies"]
        if each["kind"] == kind and word in each["text"]
    ]
    return found


@pytest.mark.parametrize("runtime", ["runc", "crun"])
def test_clone3_answered_with_enosys(
    explain: Explain,
    broken_rootfs: Path,
    tmp_path: Path,
    runtime: str,
) -> None:
    name = f"{runtime}, program: clone3"
    done = explain(setup(name).words(tmp_path / "before", broken_rootfs))
    rules = remedy(done, "profile", "ENOSYS")
    assert rules == [{"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]
    # An additional rule: crun would find the earlier filter in its cache otherwise.
    profile = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [*rules, *denying("acct")["syscalls"]],
    }
    assert again(name, profile, tmp_path / "after", broken_rootfs) == 0


def test_a_missing_architecture(
    explain: Explain,
    broken_rootfs: Path,
    tmp_path: Path,
) -> None:
    name = "crun, program: another architecture"
    done = explain(setup(name).words(tmp_path / "before", broken_rootfs))
    profile = denying("swapon") | remedy(done, "profile", "architectures")
    assert again(name, profile, tmp_path / "after", broken_rootfs) == 0


def test_a_call_with_its_twins(
    explain: Explain, bundle: Callable[..., Bundle], plain: Runtime
) -> None:
    """busybox calls mkdir here; with another C library mkdirat would be the next to fail."""
    everything = {each.name for each in load_syscalls(Arch.native()).all()}
    profile = allowing(everything - {"mkdir", "mkdirat"})
    made = bundle(["/bin/mkdir", "/tmp/x"], seccomp=profile)
    made.config["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"})
    made.write()
    done = explain(plain.argv("run", "--bundle", made.path, made.id))
    assert done.cause == "program-denied"
    assert remedy(done, "rules", "allow mkdir")[0]["names"] == ["mkdir"]
    rules = remedy(done, "profile", "mkdirat")
    assert rules[0]["names"] == ["mkdir", "mkdirat"]
    profile["syscalls"] += rules
    made.write()
    assert plain("run", "--bundle", made.path, made.id).returncode == 0
