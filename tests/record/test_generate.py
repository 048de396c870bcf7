"""A generated profile starts the recorded command, and denies the rest."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from seclatch.model.action import ENOSYS, EPERM
from tests.conftest import Compiler
from tests.latch.oci import SCRIPTS, Bundle, Runtime, case, running
from tests.record.conftest import Record
from tests.record.test_counts import allow_most

pytestmark = pytest.mark.root
MakeBundle = Callable[..., Bundle]
SECLATCH = str(SCRIPTS / "seclatch")


@pytest.fixture
def generated(record: Record, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Provide generated(WORDS, OPTIONS): record a run, generate a profile, check it."""

    def generate(words: list[str], *options: str) -> dict[str, Any]:
        for old in tmp_path.glob("*.recording.json"):
            old.unlink()
        record(words, check=False)
        [recording] = tmp_path.glob("*.recording.json")
        profile = tmp_path / "generated.json"
        subprocess.run([SECLATCH, "generate", *options, "-o", profile, recording], check=True)
        subprocess.run([SECLATCH, "profile", "check", profile], check=True, capture_output=True)
        document: dict[str, Any] = json.loads(profile.read_text())
        return document

    return generate


STARTS = 100
"""Enough to show a call that comes in one start of twenty; those that come in one of a hundred were
found by measuring twelve hundred (tools/runtime_needs.py)."""

OPTIONS: list[tuple[str, ...]] = [
    (),
    ("--args",),
    ("--portable",),
    ("--args", "--portable", "--refuse-clone3"),
]


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
def test_it_starts_under_the_latch_and_binds(
    generated: Callable[..., dict[str, Any]],
    latched: Runtime,
    bundle: MakeBundle,
    no_new_privileges: bool,
    options: tuple[str, ...],
) -> None:
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
    if "--portable" in options:  # whose own mkdir would be denied too
        assert "mkdir" not in str(made.config["linux"]["seccomp"])
    assert (outside.returncode, "Operation not permitted" in outside.stderr) == (1, True)


def test_the_latch_s_profile_allows_nothing_for_the_runtime(
    generated: Callable[..., dict[str, Any]], plain: Runtime, latched: Runtime, bundle: MakeBundle
) -> None:
    made = bundle(["/bin/exit0"], seccomp=allow_most())
    profile = generated(plain.argv("run", "--bundle", made.path, made.id))
    allowed = [rule for rule in profile["syscalls"] if rule["action"] == "SCMP_ACT_ALLOW"]
    assert [rule["names"] for rule in allowed if "always" not in rule["comment"]] == [
        ["exit_group"]
    ]
    assert not {"execve", "close", "capset"} & {name for rule in allowed for name in rule["names"]}
    made.config["linux"]["seccomp"] = profile
    made.write()
    assert latched("run", "--bundle", made.path, made.id).returncode == 0
    # runc may wait for ever if only futex and few other calls are allowed
    with suppress(subprocess.TimeoutExpired):
        assert plain("run", "--bundle", made.path, made.id, timeout=10).returncode != 0
    plain("delete", "--force", made.id)


def test_a_plain_runtime_starts_with_its_calls_added(
    generated: Callable[..., dict[str, Any]],
    plain: Runtime,
    bundle: MakeBundle,
    no_new_privileges: bool,
) -> None:
    made = bundle(["/bin/exit0"], seccomp=allow_most(), no_new_privileges=no_new_privileges)
    made.config["linux"]["seccomp"] = generated(
        plain.argv("run", "--bundle", made.path, made.id), "--plain", plain.name
    )
    made.write()
    for _ in range(STARTS):
        done = plain("run", "--bundle", made.path, made.id)
        assert (done.returncode, done.stderr) == (0, "")


def test_a_plain_runtime_s_exec_sessions_start_too(
    generated: Callable[..., dict[str, Any]],
    plain: Runtime,
    bundle: MakeBundle,
    no_new_privileges: bool,
) -> None:
    """Healthchecks are exec sessions; the recording has none, the measured runtime needs have."""
    words = ["/bin/sleep", "1"]
    made = bundle(words, seccomp=allow_most(), no_new_privileges=no_new_privileges)
    made.config["linux"]["seccomp"] = generated(
        plain.argv("run", "--bundle", made.path, made.id), "--plain", plain.name
    )
    made.config["process"]["args"] = ["/bin/sleep", "100"]
    made.write()
    flags = ["--no-new-privs"] if no_new_privileges else []
    with running(plain, made):
        for _ in range(10):
            done = plain("exec", *flags, made.id, "/bin/sleep", "0")
            assert (done.returncode, done.stderr) == (0, "")


def test_narrowed_arguments_bind(
    generated: Callable[..., dict[str, Any]], latched: Runtime, bundle: MakeBundle, rootfs: Path
) -> None:
    """The recorded personality is allowed and no other; without --args harmless ones are."""
    for name in ("linux32", "linux64"):
        (rootfs / "bin" / name).unlink(missing_ok=True)
        (rootfs / "bin" / name).symlink_to("busybox")
    recorded, other = ["/bin/linux64", "/bin/true"], ["/bin/linux32", "/bin/true"]
    for options, status in (((), 0), (("--args",), 1)):
        made = bundle(recorded, seccomp=allow_most())
        words = latched.argv("run", "--bundle", made.path, made.id)
        made.config["linux"]["seccomp"] = generated(words, *options)
        for args, expected in ((recorded, 0), (other, status)):
            made.config["process"]["args"] = args
            made.write()
            done = latched("run", "--bundle", made.path, made.id)
            assert done.returncode == expected, (options, args, done.stderr)


def test_an_audit_profile_denies_nothing(
    generated: Callable[..., dict[str, Any]], latched: Runtime, bundle: MakeBundle
) -> None:
    made = bundle(["/bin/true"], seccomp=allow_most())
    words = latched.argv("run", "--bundle", made.path, made.id)
    for options, status in ((), 1), (("--audit",), 0):
        made.config["linux"]["seccomp"] = generated(words, *options)
        made.config["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"})
        made.config["process"]["args"] = ["/bin/mkdir", "/tmp/x"]
        made.write()
        assert latched("run", "--bundle", made.path, made.id).returncode == status


def test_threads_use_clone_where_clone3_is_refused(
    generated: Callable[..., dict[str, Any]],
    record: Record,
    latched: Runtime,
    bundle: MakeBundle,
    compiler: Compiler,
    rootfs: Path,
    tmp_path: Path,
) -> None:
    shutil.copy(compiler("nonleader_exec"), rootfs / "bin/nonleader_exec")
    made = bundle(["/bin/nonleader_exec", "/bin/true"], seccomp=allow_most())
    words = latched.argv("run", "--bundle", made.path, made.id)
    made.config["linux"]["seccomp"] = generated(words, "--refuse-clone3")
    made.write()
    for old in tmp_path.glob("*.recording.json"):
        old.unlink()
    done = record(words)
    assert ("program", "clone3", ENOSYS, 1) in done.denied()
    assert done.calls("program")["clone"] == 1


def test_a_base_profile_that_hinders_the_program_is_extended(
    record: Record, latched: Runtime, bundle: MakeBundle, tmp_path: Path
) -> None:
    """A base, a run that it hinders, and one without it: together they allow it."""
    words = ["/bin/sh", "-c", "mkdir /tmp/x && sleep 0"]
    made = bundle(words, seccomp=allow_most())
    made.config["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"})
    made.write()
    record(latched.argv("run", "--bundle", made.path, made.id))
    [recording] = tmp_path.glob("*.recording.json")
    base, profile = tmp_path / "base.json", tmp_path / "more.json"
    base.write_text(json.dumps(case("stali-like")))
    subprocess.run([SECLATCH, "generate", "--base", base, "-o", profile, recording], check=True)
    for seccomp, status in ((case("stali-like"), 1), (json.loads(profile.read_text()), 0)):
        made.config["linux"]["seccomp"] = seccomp
        made.write()
        assert latched("run", "--bundle", made.path, made.id).returncode == status
    before, rules = case("stali-like")["syscalls"], json.loads(profile.read_text())["syscalls"]
    assert [each["names"] for each in rules[:-1]] == [each["names"] for each in before]
    assert "mkdir" in rules[-1]["names"]


def test_a_recent_call_gets_enosys_and_with_no_stub_the_default_action(
    generated: Callable[..., dict[str, Any]],
    plain: Runtime,
    bundle: MakeBundle,
    compiler: Compiler,
    rootfs: Path,
) -> None:
    """Libraries fall back from ENOSYS. --no-stub names recent calls with the default action."""
    shutil.copy(compiler("newest_call"), rootfs / "bin/newest_call")
    made = bundle(["/bin/newest_call"], seccomp=allow_most())
    words = plain.argv("run", "--bundle", made.path, made.id)
    errnos = {}
    for options in ((), ("--no-stub",)):
        profile = generated(words, "--plain", plain.name, *options)
        rules = profile["syscalls"]
        for rule in rules:  # the program's own call must be denied
            if rule["action"] == "SCMP_ACT_ALLOW":
                rule["names"] = [name for name in rule["names"] if name != "fchmodat2"]
        wanted = EPERM if options else ENOSYS
        [denying] = [rule for rule in rules if rule.get("errnoRet") == wanted]
        denying["names"].append("fchmodat2")
        made.config["linux"]["seccomp"] = profile
        made.write()
        errnos[options] = plain("run", "--bundle", made.path, made.id).returncode
        made.config["linux"]["seccomp"] = allow_most()
        made.write()
    assert errnos == {(): ENOSYS, ("--no-stub",): EPERM}
