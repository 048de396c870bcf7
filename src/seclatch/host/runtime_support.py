"""Check the OCI runtimes, by starting a latched container with each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from seclatch.host.host_check import CheckState, HostCheck
from seclatch.host.host_programs import find_program, query_program, take_first_line
from seclatch.runtime.find_latch import RUNTIMES

# Calls that a runtime needs between loading its filter and the program's exec, including the exec,
# and that the trial's program does not need: no bare runtime starts with it.
DENIED_TO_RUNTIMES = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [
        {
            "names": [
                "capset",
                "close_range",
                "epoll_ctl",
                "execve",
                "execveat",
                "fchown",
                "fstatfs",
                "getdents64",
                "setgid",
                "setgroups",
                "setresgid",
                "setresuid",
                "setuid",
            ],
            "action": "SCMP_ACT_ERRNO",
        }
    ],
}


def check_runtimes() -> list[HostCheck]:
    """Check each runtime, and try those that are installed."""
    checks: list[HostCheck] = []
    present = {name: path for name in RUNTIMES if (path := find_program(name))}
    for name in RUNTIMES:
        if name not in present:
            checks.append(
                HostCheck(
                    name, CheckState.NOTE, "not found", f"apt-get install {name}, if you use it"
                )
            )
            continue
        version = (
            take_first_line(query_program(present[name], "--version"))
            or "does not answer --version"
        )
        checks.append(HostCheck(name, CheckState.OK, f"{version} ({present[name]})"))
        checks.append(try_container(name))
    if not present:
        checks.append(
            HostCheck("a container runtime", CheckState.FAIL, "none found", "apt-get install runc")
        )
    return checks


def try_container(runtime: str) -> HostCheck:
    """Start a container whose profile denies what the runtime needs; read its seccomp state."""
    name = f"a latched container ({runtime})"
    if os.geteuid() != 0:
        return HostCheck(
            name,
            CheckState.NOTE,
            "not tried: `seclatch run` needs root",
            "try it with a rootless engine: seclatch install podman (docs/rootless.md)",
        )
    with tempfile.TemporaryDirectory(prefix="seclatch-") as folder:
        profile = Path(folder) / "profile.json"
        profile.write_text(json.dumps(DENIED_TO_RUNTIMES))
        command: list[str | Path] = [
            sys.executable,
            "-m",
            "seclatch",
            "run",
            "--runtime",
            runtime,
            "--profile",
            profile,
            "--",
            "grep",
            "^Seccomp:",
            "/proc/self/status",
        ]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=60,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired:
            return HostCheck(
                name, CheckState.FAIL, "did not end within a minute", _look_at(command)
            )
    if done.returncode == 0 and done.stdout.split() == ["Seccomp:", "2"]:
        return HostCheck(name, CheckState.OK, "boots with execve denied, and is under its filter")
    lines = done.stderr.strip().splitlines()
    said = "; ".join(line.strip() for line in lines if "what to do:" not in line)
    remedy = next(
        (line.partition("what to do: ")[2] for line in lines if "what to do:" in line), ""
    )
    return HostCheck(
        name, CheckState.FAIL, said or f"status {done.returncode}", remedy or _look_at(command)
    )


def _look_at(command: list[str | Path]) -> str:
    words = " ".join(str(word) for word in command[3:])
    return f"look at it by hand: seclatch {words.replace('profile.json', 'FILE')}"
