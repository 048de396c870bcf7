"""A generated profile starts what it was made of, and denies the rest."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.latch.oci import SCRIPTS, Bundle, Runtime
from tests.record.conftest import Record
from tests.record.test_counts import allow_most

pytestmark = pytest.mark.root
MakeBundle = Callable[..., Bundle]
SECLATCH = str(SCRIPTS / "seclatch")


@pytest.fixture
def generated(record: Record, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """generated(WORDS, OPTIONS): record a run, generate a profile, check it."""

    def generate(words: list[str], *options: str) -> dict[str, Any]:
        record(words)
        [recording] = tmp_path.glob("*.recording.json")
        profile = tmp_path / "generated.json"
        subprocess.run([SECLATCH, "generate", *options, "-o", profile, recording], check=True)
        subprocess.run([SECLATCH, "profile", "check", profile], check=True, capture_output=True)
        document: dict[str, Any] = json.loads(profile.read_text())
        return document

    return generate


OPTIONS: list[tuple[str, ...]] = [
    (), ("--args",), ("--portable",), ("--args", "--portable", "--refuse-clone3"),
]  # fmt: skip


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
def test_it_starts_under_the_latch_and_binds(
    generated: Callable[..., dict[str, Any]], latched: Runtime, bundle: MakeBundle,
    no_new_privileges: bool, options: tuple[str, ...],
) -> None:  # fmt: skip
    words = ["/bin/sh", "-c", "/bin/true; echo $(/bin/ls /bin/true)"]
    made = bundle(words, seccomp=allow_most(), no_new_privileges=no_new_privileges)
    made.config["linux"]["seccomp"] = generated(
        latched.argv("run", "--bundle", made.path, made.id), *options
    )
    made.write()
    done = latched("run", "--bundle", made.path, made.id)
    assert (done.returncode, done.stdout) == (0, "/bin/true\n")
    made.config["process"]["args"] = ["/bin/mkdir", "/tmp/x"]
    made.write()
    outside = latched("run", "--bundle", made.path, made.id)
    if "--portable" in options:  # which may not have mkdir either
        assert "mkdir" not in str(made.config["linux"]["seccomp"])
    assert (outside.returncode, "Operation not permitted" in outside.stderr) == (1, True)


def test_the_latch_s_profile_has_nothing_for_the_runtime(
    generated: Callable[..., dict[str, Any]], plain: Runtime, latched: Runtime, bundle: MakeBundle
) -> None:
    made = bundle(["/bin/exit0"], seccomp=allow_most())
    profile = generated(plain.argv("run", "--bundle", made.path, made.id))
    assert [rule["names"] for rule in profile["syscalls"]] == [["exit_group"]]
    made.config["linux"]["seccomp"] = profile
    made.write()
    assert latched("run", "--bundle", made.path, made.id).returncode == 0
    assert plain("run", "--bundle", made.path, made.id).returncode != 0
    plain("delete", "--force", made.id)


def test_a_plain_runtime_starts_with_its_needs(
    generated: Callable[..., dict[str, Any]], plain: Runtime, bundle: MakeBundle,
    no_new_privileges: bool,
) -> None:  # fmt: skip
    made = bundle(["/bin/exit0"], seccomp=allow_most(), no_new_privileges=no_new_privileges)
    made.config["linux"]["seccomp"] = generated(
        plain.argv("run", "--bundle", made.path, made.id), "--plain", plain.name
    )
    made.write()
    for _ in range(5):
        done = plain("run", "--bundle", made.path, made.id)
        assert (done.returncode, done.stderr) == (0, "")
