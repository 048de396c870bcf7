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
from bench.profiles.report import chosen_servers, print_commit, recorded_under
from bench.profiles.root import server_root
from bench.profiles.run import Run
from bench.profiles.servers import packages, workload
from bench.profiles.workload import Workload
from bench.scan import NEUTRAL
from seclatch.model.recording import (
    RecordedCalls,
    RecordedDenial,
    RecordedProcess,
    Recording,
)
from seclatch.recording.files import recording_file


def report(_: int) -> None:
    """Measure and print each row as it is known."""
    print_commit()
    print(f"{'server':<10} {'scan':>5} {'issued':>6} {'prec.':>6} {'recall':>6} {'F1':>5}  missed")
    scores = []
    with server_root(packages()) as root:
        for name in chosen_servers():
            found, issued = scan_server(name, root), record_server(name, root)
            right = found & issued
            precision, recall = len(right) / len(found), len(right) / len(issued)
            scores.append(2 * precision * recall / (precision + recall))
            print(
                f"{name:<10} {len(found):>5} {len(issued):>6} {precision:>6.2f} {recall:>6.3f} "
                f"{scores[-1]:>5.2f}  {' '.join(sorted(issued - found))}",
                flush=True,
            )
    print(f"mean F1 {statistics.fmean(scores):.2f}")


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
    """Run both workloads; return the calls of processes that executed the server's program only."""
    work, issued = workload(name), set[str]()
    with tempfile.TemporaryDirectory(prefix="sl-") as folder:
        for part in ("training", "wide"):
            (place := Path(folder) / part).mkdir()
            if part == "training":
                done = Run(work, root).train(place, recorded_under())
            else:
                done = Run(work, root).widely(recorded_under(), place)
            if done.fatal or done.failed:
                print(f"{name}: {part}: {done.fatal or done.failed}")
            for file in sorted(place.glob("*.json")):
                issued |= issued_by(recording_file.read_recording(file), server_program(work))
    return issued - NEUTRAL


def issued_by(recording: Recording, program: str) -> set[str]:
    """Return the calls in the program's stage of processes whose last image is `program`.

    Those too that Docker's default denied: clone3, which pthread_create(3) tries first. The calls
    of an entry script that executes it are among them: a recording counts by process.
    """
    parents = {each.id: each for each in recording.processes}

    def is_of_program(process: RecordedProcess) -> bool:
        images = [each for each in process.images if each.stage == "program"]
        if images:
            return Path(images[-1].exe).name == Path(program).name
        parent = parents.get(process.parent) if process.parent is not None else None
        return parent is not None and is_of_program(parent)

    own = {each.id for each in recording.processes if is_of_program(each)}
    made: list[RecordedCalls | RecordedDenial] = [*recording.calls, *recording.denials]
    return {each.name for each in made if each.stage == "program" and each.process in own}
