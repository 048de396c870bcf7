"""Make a server's profiles by seclatch's own commands, from a training run and a scan."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.profiles.workload import Workload
from tests.latch.oci import SCRIPTS

Profile = dict[str, Any]


@dataclass(frozen=True)
class Variant:
    """How a profile is made: options of `seclatch generate`; `scan`: with the scan."""

    name: str
    options: tuple[str, ...] = ()
    scan: bool = False


VARIANTS = (
    Variant("exact", ("--exact",)),
    Variant("recorded"),
    Variant("recorded+args", ("--args",)),
    Variant("scan", scan=True),
    Variant("scan+args", ("--args",), scan=True),
)


def seclatch(*words: str | Path) -> str:
    """Run a command of seclatch; raise with its output if it fails."""
    done = subprocess.run(
        [SCRIPTS / "seclatch", *words], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"seclatch {words[0]}: {done.stderr[-500:]}")
    return done.stdout


def scan(workload: Workload, root: Path, output: Path) -> None:
    """Scan the programs that the container's documentation names."""
    points = [word for path in workload.scanned for word in ("--entrypoint", path)]
    points += [word for path in workload.plugins for word in ("--plugin", path)]
    seclatch("scan", *points, "-o", output, root)


def make(variant: Variant, recording: Path, scanned: Path, output: Path) -> Profile:
    """Generate one profile."""
    words: list[str | Path] = ["generate", recording, "-o", output, *variant.options]
    if variant.scan:
        words += ["--scan", scanned]
    seclatch(*words)
    profile: Profile = json.loads(output.read_text())
    return profile


def strace_like(recording: Path) -> Profile:
    """Make a profile as commonly done with strace: all calls of the start, else EPERM."""
    calls = {
        each["name"]
        for each in json.loads(recording.read_text())["calls"]
        if each["name"] and each["stage"] in ("init", "filtered-init", "program")
    }
    rule = {"names": sorted(calls), "action": "SCMP_ACT_ALLOW"}
    return {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1, "syscalls": [rule]}
