"""Measure the latch under an engine: `docker run` with either runtime, plain and latched."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from bench.paired import HEADER, Pair, compare
from bench.start import default_like
from seclatch.runtime.find_latch import find_latch
from tests.engines.conftest import make_front
from tests.engines.docker import Docker
from tests.engines.host import ENVIRONMENT, PrivateHost
from tests.engines.image import make_archive, make_rootfs


def report(runs: int) -> None:
    """Print a row for each runtime, measured in a private dockerd."""
    print(HEADER, flush=True)
    host = PrivateHost().start()
    try:
        with tempfile.TemporaryDirectory(prefix="seclatch-bench-") as folder:
            measure(host, Path(folder), runs)
    finally:
        host.close()


def measure(host: PrivateHost, folder: Path, runs: int) -> None:
    programs = {name: shutil.which(name, path=ENVIRONMENT["PATH"]) for name in ("runc", "crun")}
    runtimes = {name: Path(program) for name, program in programs.items() if program}
    for name, program in list(runtimes.items()):
        front = make_front(folder / name, name, find_latch("runc"), str(program))
        runtimes[f"latched-{name}"] = front
    docker = Docker(host, runtimes).begin(folder / "log")
    docker.load(make_archive(make_rootfs(folder / "rootfs"), folder / "image.tar"))
    for name in programs:
        print(start_cost(docker, name, folder, runs).row(), flush=True)
    docker.stop()


def start_cost(docker: Docker, name: str, folder: Path, runs: int) -> Pair:
    profile = folder / "profile.json"
    profile.write_text(json.dumps(default_like()))

    def run(runtime: str) -> Any:
        def command(n: int) -> list[str]:
            options = {"runtime": runtime, "profile": profile}
            words = docker.words(f"bench-{runtime}-{n}", options, ["/bin/true"])
            return docker.host.argv("docker", "-H", docker.address, "run", "--rm", *words)

        return command

    return compare(f"docker run true ({name})", run(name), run(f"latched-{name}"), runs)
