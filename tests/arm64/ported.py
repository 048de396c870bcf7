"""Profiles for arm64 from recordings made on this machine, by `seclatch profile port`."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.debian.programs import Program, everywhere, python
from tests.debian.server import ANY, SECLATCH, Server, unpacked
from tests.latch.oci import Runtime

PACKAGES = ("nginx", "redis-server")  # the guest has python3 already


def make(folder: Path) -> Path:
    """Record each program at its work, generate its profile, port it: NAME.json for each.

    `NAME.x86.json` is the profile before it was ported, NAME.changes is the output of porting.
    """
    if os.geteuid() or platform.machine() != "x86_64":
        raise SystemExit("arm64: recording the programs needs root on x86-64")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    name = python()
    packages = ["nginx", "nginx-common", "redis-server", "redis-tools"]
    with unpacked([*packages, name, f"{name}-minimal", f"lib{name}-stdlib"]) as root:
        for program in everywhere(f"/usr/bin/{name}").values():
            make_one(program, root, folder)
    return folder


def make_one(program: Program, root: Path, folder: Path) -> None:
    """Record one program as the runtime starts it, without the latch and without its profile."""
    here, there = folder / f"{program.name}.x86.json", folder / f"{program.name}.json"
    with Server(program, root) as server, tempfile.TemporaryDirectory() as temporary:
        recording = Path(temporary) / "recording.json"
        server.run(Runtime("runc", latched=False), ANY, recording)
        # without --portable, which adds other C libraries' calls: the recorded calls alone
        words = [SECLATCH, "generate", "-o", here, recording]
        subprocess.run(words, check=True, capture_output=True)
    words = [SECLATCH, "profile", "port", "--to", "aarch64", here, "-o", there]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    (folder / f"{program.name}.changes").write_text(done.stderr)
