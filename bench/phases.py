"""Tighten real servers: what a running profile cuts, and what breaks under it.

Each server is recorded with a ready mark, in its short training run and in its wide workload. From
each a profile of the running phase is made, as recorded (--exact), with the closure of harmless
calls, and with the scan. The wide workload then runs with the profile put on after each start,
under traffic of new connections. SERVERS and VARIANTS (comma-separated) choose; TABLE names a file
for the rows.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.profiles.container import Container
from bench.profiles.make import scan, seclatch
from bench.profiles.measure import allowed, cut, cut_by_arguments
from bench.profiles.report import print_commit, recorded_under
from bench.profiles.root import server_root
from bench.profiles.run import Outcome, Run
from bench.profiles.servers import workload
from bench.profiles.workload import Workload

SERVERS = ("redis", "nginx", "memcached")
VARIANTS = ("light exact", "light", "wide exact", "wide", "wide scan")
HEAD = (
    f"{'server':<10} {'profile':<12} {'calls':>5} {'CVEs':>4} {'args':>4} {'steps':>5} "
    f"{'failed':>6} {'exec':>4} {'tightened':>9} {'pause ms':>8} {'requests':>8} {'lost':>4}"
)
TRIES = 3
"""Of a training run: steps have time limits, and the machine may be busy."""

AFTER = 0.5
"""Seconds for which requests go on after the tightening."""


@dataclass
class Tightener:
    """Puts a profile on a server after each start, while requests are made."""

    workload: Workload
    profile: Path
    times: int = 0
    pauses: list[float] = field(default_factory=list)
    requests: int = 0
    lost: list[str] = field(default_factory=list)

    def __call__(self, box: Container) -> None:
        over = threading.Event()
        traffic = threading.Thread(target=self._make_requests, args=(box, over))
        traffic.start()
        try:
            words = ("tighten", box.name, "--profile", self.profile, "--now", "--json")
            document = json.loads(seclatch(*words))
            time.sleep(AFTER)
        finally:
            over.set()
            traffic.join()
        assert document["complete"], document
        self.times += 1
        self.pauses += [each["pause"] / 1000 for each in document["processes"]]

    def _make_requests(self, box: Container, over: threading.Event) -> None:
        while not over.is_set():
            try:
                self.workload.ready(box)
            except Exception as error:
                self.lost.append(f"{type(error).__name__}: {error}")
            self.requests += 1


def mark(box: Container) -> None:
    """Mark the server as ready, in training."""
    box.mark()
    time.sleep(0.5)


def report(_: int) -> None:
    """Measure and print each row as it is known."""
    names = os.environ.get("SERVERS", ",".join(SERVERS)).split(",")
    print_commit()
    print("CVEs: of 36, all calls denied")
    print(HEAD, flush=True)
    with server_root(each for name in names for each in workload(name).packages) as root:
        for name in names:
            with tempfile.TemporaryDirectory(prefix="sl-") as folder:
                measure_server(name, root, Path(folder))


def measure_server(name: str, root: Path, folder: Path) -> None:
    """Record, generate and measure one server."""
    work = workload(name)
    wanted = os.environ.get("VARIANTS", ",".join(VARIANTS)).split(",")
    scanned = folder / "scan.json"
    if any("scan" in each for each in wanted):
        scan(work, root, scanned)
    for kind in ("light", "wide"):
        variants = [each for each in wanted if each.split()[0] == kind]
        if not variants:
            continue
        for number in range(TRIES):
            recordings = folder / f"{kind}{number}"
            recordings.mkdir()
            trained = train(work, root, kind, recordings)
            if not trained.fatal and not trained.failed:
                break
        if trained.fatal or trained.failed:
            print(f"{name}: the {kind} training run fails: {trained.fatal or trained.failed}")
            continue
        for variant in variants:
            profile = folder / f"{variant.replace(' ', '-')}.json"
            make(variant, sorted(recordings.glob("*.json")), scanned, profile)
            measure_profile(work, root, variant, profile)


def train(work: Workload, root: Path, kind: str, recordings: Path) -> Outcome:
    """Record the short training run, or the wide workload, with a mark once the server answers."""
    run = Run(work, root, started=mark)
    if kind == "light":
        return run.train(recordings, recorded_under())
    return run.widely(recorded_under(), recordings)


def make(variant: str, recordings: list[Path], scanned: Path, output: Path) -> None:
    """Generate a profile of the running phase."""
    words: list[str | Path] = ["generate", "--phase", "running", *recordings, "-o", output]
    words += ["--exact"] if "exact" in variant else []
    words += ["--scan", scanned] if "scan" in variant else []
    seclatch(*words)


def measure_profile(work: Workload, root: Path, variant: str, path: Path) -> None:
    """Run the wide workload under a profile and print the row."""
    tightener = Tightener(work, path)
    outcome = Run(work, root, started=tightener).widely(recorded_under())
    profile = json.loads(path.read_text())
    show(work.name, variant, profile, outcome, tightener)


def show(
    name: str, variant: str, profile: dict[str, Any], outcome: Outcome, tightener: Tightener
) -> None:
    """Print one row, and add it with what failed to the table."""
    size, closed, by_arguments = len(allowed(profile)), cut(profile), cut_by_arguments(profile)
    pause = max(tightener.pauses, default=0.0)
    failed = "start" if outcome.fatal else len(outcome.failed)
    print(
        f"{name:<10} {variant:<12} {size:>5} {closed:>4} {by_arguments:>4} {outcome.steps:>5} "
        f"{failed:>6} {len(outcome.executed):>4} {tightener.times:>9} {pause:>8.1f} "
        f"{tightener.requests:>8} {len(tightener.lost):>4}",
        flush=True,
    )
    if place := os.environ.get("TABLE"):
        row = {
            "server": name,
            "profile": variant,
            "calls": size,
            "cves": closed,
            "cves_by_arguments": by_arguments,
            "allowed": sorted(allowed(profile)),
            "failed": outcome.failed,
            "executed": outcome.executed,
            "fatal": outcome.fatal,
            "spinning": outcome.spinning,
            "ruined": outcome.ruined,
            "pauses": tightener.pauses,
            "requests": tightener.requests,
            "lost": tightener.lost,
        }
        with closing(Path(place).open("a")) as file:
            file.write(json.dumps(row) + "\n")
