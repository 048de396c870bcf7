"""Measure what `seclatch explain` costs: the same work with it and without, in turn."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from bench.record import NOTHING, Cost, works
from tests.engines.docker import Docker
from tests.engines.host import PrivateHost
from tests.engines.image import make_archive
from tests.engines.image import make_rootfs as make_image_root
from tests.latch.oci import SCRIPTS

SECLATCH = str(SCRIPTS / "seclatch")
DOCKER = "docker run"


def cost(folder: Path, runs: int) -> None:
    """Run it with and without, in turn; `true` alone gives the fixed part.

    CPU time is reported beside wall time: on a busy machine only CPU time is meaningful. That of
    docker's daemon is not measured.
    """
    all_works = works(folder)
    chosen = {name: all_works[name] for name in ("runc run, 5 times", "gcc -O2 -c")}
    host = PrivateHost().start()
    try:
        docker = Docker(host, {}).begin(folder / "docker.log")
        docker.load(make_archive(make_image_root(folder / "image"), folder / "image.tar"))
        chosen[DOCKER] = docker_run(docker)
        costs = measure_costs(chosen, runs)
        docker.stop()
    finally:
        host.close()
    for kind in ("wall", "cpu"):
        with_, without = (getattr(costs["(nothing)", each], kind) for each in (True, False))
        fixed = [a - b for a, b in zip(with_, without, strict=True)]
        print(f"fixed, {kind:<18} {statistics.median(fixed) * 1e3:6.0f} ms")
        for name in chosen:
            if (name, kind) == (DOCKER, "cpu"):
                continue
            pairs = zip(
                getattr(costs[name, True], kind),
                fixed,
                getattr(costs[name, False], kind),
                strict=True,
            )
            ratio = statistics.median((a - extra) / b for a, extra, b in pairs)
            print(f"{name + ', ' + kind:<25} {ratio:6.3f} times as much, beside that (n={runs})")


def docker_run(docker: Docker) -> list[str]:
    """Start and end a container by docker, without a name, since the words are run repeatedly."""
    _, _, *words = docker.words("", {"runtime": "runc"}, ["/bin/true"])
    return docker.host.argv("docker", "-H", docker.address, "run", "--rm", *words)


def measure_costs(chosen: dict[str, list[str]], runs: int) -> dict[tuple[str, bool], Cost]:
    """Return the costs by work and by whether it was explained."""
    costs: dict[tuple[str, bool], Cost] = {}
    for n in range(runs):
        for name, words in {"(nothing)": NOTHING, **chosen}.items():
            for explained in (False, True) if n % 2 else (True, False):
                prefix = [SECLATCH, "explain", "--"] if explained else []
                costs.setdefault((name, explained), Cost()).add([*prefix, *words])
    return costs


def report_cost(runs: int) -> None:
    """Print what explaining costs."""
    with tempfile.TemporaryDirectory(prefix="seclatch-bench-") as folder:
        cost(Path(folder), max(5, runs // 4))
