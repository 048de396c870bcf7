"""Write src/seclatch/data/docker-default.json: which calls Docker's default profile leaves open.

Asks the real dockerd of this machine: a runtime that keeps config.json stands between it and runc.
Run it as root: `python tools/docker_default.py`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests" / "engines")]

from seclatch.model.arch import Arch  # noqa: E402
from seclatch.profile.meaning import rule_meaning  # noqa: E402
from seclatch.profile.parse.load_profile import parse  # noqa: E402
from tests.engines.capture import Docker  # noqa: E402 (found by the line above)

TARGET = ROOT / "src" / "seclatch" / "data" / "docker-default.json"


def ask() -> dict[str, object]:
    """Run a container with the default profile, and read what it was given."""
    with tempfile.TemporaryDirectory() as folder:
        docker = Docker(Path(folder))
        try:
            docker.start()
            seccomp = docker.seccomp()
        finally:
            docker.stop()
    command = ["dockerd", "--version"]
    version = subprocess.run(command, capture_output=True, text=True, check=True)
    read = rule_meaning.read(parse(json.dumps(seccomp), "docker"), Arch.native())
    whole = sorted(name for name in read.calls if read.always_executes(name))
    partly = sorted(
        name for name in read.calls if read.may_execute(name) and not read.always_executes(name)
    )
    return {
        "source": f"what {version.stdout.strip()} gives a container with default capabilities",
        "arch": Arch.native().title,
        "whole": whole,
        "partly": partly,
    }


if __name__ == "__main__":
    TARGET.write_text(json.dumps(ask(), indent=1) + "\n")
