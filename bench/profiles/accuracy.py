"""Measure scans by what servers issue in their training and wide workloads, under Docker's default.

Unlike `bench scan`, whose truth is a short workload under strace: a call that only error paths,
reloads or background work make counts as right here. Arguments do not count. SERVERS and HELD_OUT
choose as in `bench profiles`.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from pathlib import Path

from bench.profiles.make import seclatch
from bench.profiles.record_images import images_file
from bench.profiles.report import chosen_servers, print_commit, recorded_under
from bench.profiles.root import server_root
from bench.profiles.run import Run
from bench.profiles.servers import packages, workload
from bench.profiles.workload import Workload
from bench.scan import NEUTRAL, PUBLISHED


def report(_: int) -> None:
    """Measure and print each row as it is known."""
    print_commit()
    print(f"{'server':<10} {'scan':>5} {'issued':>6} {'prec.':>6} {'recall':>6} {'F1':>6}  missed")
    scores: dict[str, float] = {}
    with server_root(packages()) as root:
        for name in chosen_servers():
            found, issued = scan_server(name, root), record_server(name, root)
            right = found & issued
            precision, recall = len(right) / len(found), len(right) / len(issued)
            scores[name] = 2 * precision * recall / (precision + recall)
            print(
                f"{name:<10} {len(found):>5} {len(issued):>6} {precision:>6.2f} {recall:>6.3f} "
                f"{scores[name]:>6.3f}  {' '.join(sorted(issued - found))}",
                flush=True,
            )
    print(f"mean F1 {statistics.fmean(scores.values()):.3f}")
    if scores.keys() >= PUBLISHED.keys():
        five = statistics.fmean(scores[name] for name in PUBLISHED)
        print(f"of the servers of `bench scan`: {five:.3f}")


def server_program(work: Workload) -> str:
    """Return the server's own program, of those that its documentation names."""
    paths = {Path(each).name: each for each in work.scanned}
    return next(
        path
        for base, path in paths.items()
        if base.startswith(work.name) or work.name.startswith(base)
    )


def scan_server(name: str, root: Path) -> set[str]:
    """Scan the server's own program, with the modules that its configuration loads."""
    work = workload(name)
    plugins = [word for path in work.plugins for word in ("--plugin", path)]
    with tempfile.TemporaryDirectory(prefix="sl-") as folder:
        output = Path(folder) / "scan.json"
        seclatch("scan", "--entrypoint", server_program(work), *plugins, "-o", output, root)
        found = json.loads(output.read_text())["programs"]
    return {call["name"] for program in found for call in program["calls"]} - NEUTRAL


def record_server(name: str, root: Path) -> set[str]:
    """Run both workloads; return the calls that the server's program made, denied ones too.

    Docker's default denies clone3, which pthread_create(3) tries first.
    """
    work, issued = workload(name), set[str]()
    program = Path(server_program(work)).name
    with tempfile.TemporaryDirectory(prefix="sl-") as folder:
        for part in ("training", "wide"):
            (place := Path(folder) / part).mkdir()
            run = Run(work, root, by_image=True)
            start = run.train if part == "training" else run.widely
            done = start(profile=recorded_under(), recordings=place)
            if done.fatal or done.failed:
                print(f"{name}: {part}: {done.fatal or done.failed}")
            for file in sorted(place.glob("*.json")):
                images = json.loads(images_file(file).read_text())
                issued.update(
                    *(calls for path, calls in images.items() if Path(path).name == program)
                )
    return issued - NEUTRAL
