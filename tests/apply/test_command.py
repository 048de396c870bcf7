"""`seclatch apply` as a user calls it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.apply.conftest import Applier
from tests.apply.test_binding import DENY_TWO, ONLY_EXIT

COMMAND = [sys.executable, "-m", "seclatch", "apply"]
Done = subprocess.CompletedProcess[str]


def call(*words: str | Path) -> Done:
    return subprocess.run([*COMMAND, *words], capture_output=True, text=True, check=False)


@pytest.fixture
def only_exit(tmp_path: Path) -> Path:
    path = tmp_path / "only-exit.json"
    path.write_text(json.dumps(ONLY_EXIT))
    return path


def test_a_profile_and_a_compiled_filter(apply: Applier, only_exit: Path, tmp_path: Path) -> None:
    program = apply.program("exit42")
    assert call("--profile", only_exit, "--", program).returncode == 42
    assert call("--profile", only_exit, program).returncode == 42
    compiled = tmp_path / "compiled.bpf"
    words = ["profile", "compile", "--runtime", "libseccomp", "--format", "bpf"]
    subprocess.run(
        [sys.executable, "-m", "seclatch", *words, only_exit, "-o", compiled], check=True
    )
    assert call("--profile", compiled, program).returncode == 42
    assert call("--profile", compiled, apply.program("first_denied")).returncode == 1
    done = subprocess.run([apply.path, compiled, program], check=False)
    assert done.returncode == 42


def test_the_command_is_the_same_process(apply: Applier, tmp_path: Path) -> None:
    profile = tmp_path / "deny.json"
    profile.write_text(json.dumps(DENY_TWO))
    words = ["sh", "-c", "echo $$; ls /proc/self/fd"]
    child = subprocess.Popen(
        [*COMMAND, "--profile", profile, *words], stdout=subprocess.PIPE, text=True
    )
    out, _ = child.communicate()
    pid, *descriptors = out.split()
    assert int(pid) == child.pid
    assert descriptors == ["0", "1", "2", "3"]  # 3 is opened by ls itself


def test_conditions_are_resolved_for_this_process(apply: Applier, tmp_path: Path) -> None:
    profile = tmp_path / "conditional.json"
    rule = {"names": ["personality"], "action": "SCMP_ACT_ERRNO", "errnoRet": 7}
    for caps, status in (({"excludes": {"caps": ["CAP_SYS_ADMIN"]}}, 0), ({}, 7)):
        text = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{**rule, **caps}]}
        profile.write_text(json.dumps(text))
        if caps and "0000000000000000" in Path("/proc/self/status").read_text():
            continue  # without capabilities no rule is excluded
        assert call("--profile", profile, apply.program("first_denied")).returncode == status


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("{}", "no seccomp at all"),
        ('{"defaultAction": "SCMP_ACT_NOTIFY"}', "NOTIFY"),
        ('{"defaultAction": "SCMP_ACT_ALOW"}', "SCMP_ACT_ALOW"),
        ("\0\1\2", "no compiled filter"),
    ],
)
def test_invalid_profiles(tmp_path: Path, text: str, message: str) -> None:
    profile = tmp_path / "bad.json"
    profile.write_text(text)
    done = call("--profile", profile, "true")
    assert done.returncode == 125  # 2 may be opened by the command itself
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_unknown_names_are_reported(apply: Applier, tmp_path: Path) -> None:
    profile = tmp_path / "unknown.json"
    rule = {"names": ["no_such_call"], "action": "SCMP_ACT_ERRNO"}
    profile.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}))
    done = call("--profile", profile, apply.program("exit42"))
    assert done.returncode == 42
    assert "no_such_call: unknown to libseccomp, ignored" in done.stderr


def test_signal_dispositions_are_restored(apply: Applier, tmp_path: Path) -> None:
    """Python ignores SIGPIPE and SIGXFSZ for itself."""
    profile = tmp_path / "all.json"
    profile.write_text('{"defaultAction": "SCMP_ACT_ALLOW"}')
    done = call("--profile", profile, "grep", "SigIgn", "/proc/self/status")
    assert done.stdout.split() == ["SigIgn:", "0000000000000000"]
