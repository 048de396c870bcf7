"""The remedies work when pasted: the same program runs with them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seclatch.model.arch import Arch
from seclatch.model.syscall import load_syscalls
from tests.explain.conftest import Explain, Explained
from tests.explain.corpus import Setup, all_setups, allowing, denying
from tests.latch.oci import SCRIPTS, Bundle, Runtime, make_bundle

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


NO_MKDIR = """{
  "defaultAction": "SCMP_ACT_ALLOW",
  "syscalls": [
    {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}
  ]
}
"""
MAKES = ["run", "--no-tty", "--profile", "nomkdir.json", "--", "mkdir", "/tmp/x"]


def in_folder(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a user would paste it, with seclatch on PATH."""
    path = f"{SCRIPTS}:{os.environ['PATH']}"
    return subprocess.run(
        words,
        cwd=place,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def explain_rule(place: Path, *options: str) -> dict[str, Any]:
    """Explain a container whose profile has a rule that denies mkdir."""
    (place / "nomkdir.json").write_text(NO_MKDIR)
    words = ["seclatch", "explain", "--confirm", "never", "--json", "-o", "why.json", *options]
    words += ["--", "seclatch", *MAKES]
    assert in_folder(place, *words).returncode == 1
    document: dict[str, Any] = json.loads((place / "why.json").read_text())
    return document


def test_a_denial_by_a_rule_is_undone_by_what_is_pasted(tmp_path: Path) -> None:
    document = explain_rule(tmp_path)
    [fatal] = [one for one in document["denials"] if one["fatal"]]
    assert (fatal["rule"]["index"], fatal["rule"]["line"]) == (0, 4)
    first = document["remedies"][0]
    assert (first["tried"], first["line"], first["file"]) == (True, 4, "nomkdir.json")
    assert "take it out of rule 0 of nomkdir.json, line 4" in first["text"]
    assert in_folder(tmp_path, *first["command"]).returncode == 0
    assert in_folder(tmp_path, *first["then"]).returncode == 0


def test_a_diff_applies(tmp_path: Path) -> None:
    first = explain_rule(tmp_path)["remedies"][0]
    changed = NO_MKDIR.replace('"mkdir", ', "")
    removed = [line for line in first["diff"].splitlines() if line.startswith("-  ")]
    added = [line for line in first["diff"].splitlines() if line.startswith("+  ")]
    assert NO_MKDIR.replace(removed[0][1:], added[0][1:]) == changed


def test_fix_writes_the_changed_profile(tmp_path: Path) -> None:
    document = explain_rule(tmp_path, "--fix", "fixed.json")
    assert (tmp_path / "fixed.json").read_text() == NO_MKDIR.replace('"mkdir", ', "")
    assert document["fix"]["text"] == (tmp_path / "fixed.json").read_text()
    words = [word.replace("nomkdir.json", "fixed.json") for word in MAKES]
    assert in_folder(tmp_path, "seclatch", *words).returncode == 0


def test_no_fix_where_a_profile_is_not_the_cause(tmp_path: Path) -> None:
    done = in_folder(tmp_path, "seclatch", "explain", "--fix", "x.json", "--", "cat", "/nowhere")
    assert done.returncode == 1
    assert "no profile was written to x.json" in done.stderr
    assert not (tmp_path / "x.json").exists()


def test_a_profile_put_on_by_apply_is_known(tmp_path: Path) -> None:
    (tmp_path / "nomkdir.json").write_text(NO_MKDIR)
    words = ["seclatch", "apply", "--profile", "nomkdir.json", "--", "mkdir", "x"]
    done = in_folder(tmp_path, "seclatch", "explain", "--json", "--", *words)
    document = json.loads(done.stderr[done.stderr.index("{\n") :])
    [fatal] = [one for one in document["denials"] if one["fatal"]]
    assert fatal["rule"]["by"] == "rule", fatal
    first = document["remedies"][0]
    assert in_folder(tmp_path, *first["command"]).returncode == 0
    assert in_folder(tmp_path, *first["then"]).returncode == 0
    assert (tmp_path / "x").is_dir()


def test_the_first_screen_is_short_and_verbose_has_all(tmp_path: Path) -> None:
    (tmp_path / "nomkdir.json").write_text(NO_MKDIR)
    script = "for i in 1 2 3 4 5; do mkdir /tmp/$i; mkdir /tmp/$i; done; exit 1"
    words = ["seclatch", "run", "--no-tty", "--profile", "nomkdir.json", "--", "sh", "-c", script]
    explain = ["seclatch", "explain", "--confirm", "never"]
    short = in_folder(tmp_path, *explain, "--", *words).stderr
    assert "… and 2 more (--verbose)" in short
    assert "it opens:" not in short
    full = in_folder(tmp_path, *explain, "--verbose", "--", *words).stderr
    assert "more (--verbose)" not in full
    assert full.count("→ EPERM 2 times") == 5
