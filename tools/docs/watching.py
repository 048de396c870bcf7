"""The listing of watch.md: what a watch shows of a container that is denied mkdir."""

from __future__ import annotations

import json
import signal
import subprocess
import time

from tests.latch.oci import SCRIPTS
from tools.docs.lab import Lab
from tools.docs.listings import fenced, maker

_PROFILE = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "architectures": ["SCMP_ARCH_X86_64"],
    "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13}],
}
_PROGRAM = "mkdir /run/first; mkdir /run/first; exec sleep 1000"


@maker("watching")
def watching(lab: Lab) -> str:
    """Show a denial of a container's program, twice the same, and one of an exec session."""
    profile = lab.folder / "no-mkdir.json"
    profile.write_text(json.dumps(_PROFILE))
    docker, log = lab.docker, lab.folder / "watch.json"
    words = ["seclatch", "watch", "--container", "web", "--profile", profile.name]
    process = subprocess.Popen(
        [SCRIPTS / words[0], *words[1:], "-o", log],
        cwd=lab.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        while not (log.exists() and log.stat().st_size):
            time.sleep(0.05)
        options = {"profile": profile, "runtime": "crun"}
        docker.must("run", "--detach", *docker.words("web", options, ["/bin/sh", "-c", _PROGRAM]))
        docker.exec("web", "/bin/mkdir", "/run/second")
        time.sleep(1.5)
    finally:
        process.send_signal(signal.SIGTERM)
        shown = process.communicate(timeout=60)[0]
        docker.remove("web")
    lines = [line[:200] for line in shown.splitlines() if "mkdir" in line]
    return fenced("\n".join([f"$ {' '.join(words)}", *lines]))
