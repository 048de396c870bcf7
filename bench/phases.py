"""Tighten real servers: what a running profile cuts, and what breaks under it.

Each server is recorded with a ready mark, in its short training run and in its wide workload. From
each a profile of the running phase is made, as recorded (--exact), with the closure of harmless
calls, and with the scan. The wide workload then runs with the profile put on after each start,
under traffic of new connections; with profiles by role new workers get theirs, too. SERVERS and
VARIANTS (comma-separated) choose; TABLE names a file for the rows.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.profiles.container import Container, wait_until
from bench.profiles.make import scan, seclatch
from bench.profiles.measure import allowed, cut, cut_by_arguments
from bench.profiles.report import print_commit, recorded_under
from bench.profiles.root import server_root
from bench.profiles.run import Outcome, Run
from bench.profiles.servers import workload
from bench.profiles.workload import Workload
from seclatch.model.recording.process_role import KINDS, WORKER
from tests.debian import clients
from tests.latch.oci import SCRIPTS

SERVERS = ("redis", "nginx", "memcached", "postgres")
VARIANTS = (
    "light exact",
    "light",
    "wide exact",
    "wide",
    "wide scan",
    "wide exact worker",
    "wide worker",
)
HEAD = (
    f"{'server':<10} {'profile':<17} {'calls':>5} {'CVEs':>4} {'args':>4} {'steps':>5} "
    f"{'failed':>6} {'exec':>4} {'tightened':>9} {'pause ms':>8} {'requests':>8} {'lost':>4}"
)
TRIES = 3
"""Of a training run: steps have time limits, and the machine may be busy."""

AFTER = 0.5
"""Seconds for which requests go on after the tightening."""


@contextmanager
def kill_a_worker(box: Container) -> Iterator[None]:
    """Have nginx replace a worker: it answers on, by the other ones."""
    os.kill(box.pids()[1], 9)  # the last one, the cache loader, is not replaced
    yield


@contextmanager
def hold_a_connection(box: Container) -> Iterator[None]:
    """Have postgres create a backend, and work with it at the end."""
    with closing(clients.Postgres(Path(box.folder / f".s.PGSQL.{box.port}"))) as base:
        yield
        assert base.query("select 1") == ["1"]


# Servers with workers: two profiles by role, put on new workers by `tighten --stay`.
RENEW = {"nginx": kill_a_worker, "postgres": hold_a_connection}


@dataclass
class Tightener:
    """Puts a profile on a server after each start, while requests are made."""

    workload: Workload
    profiles: tuple[str, ...]
    times: int = 0
    pauses: list[float] = field(default_factory=list)
    requests: int = 0
    lost: list[str] = field(default_factory=list)
    workers: int = 0

    def __call__(self, box: Container) -> None:
        over = threading.Event()
        traffic = threading.Thread(target=self._make_requests, args=(box, over))
        traffic.start()
        try:
            document = self._tighten(box)
            if len(self.profiles) > 1:
                self._renew(box)
            time.sleep(AFTER)
        finally:
            over.set()
            traffic.join()
        assert document["complete"], document
        self.times += 1
        self.pauses += [each["pause"] / 1000 for each in document["processes"]]

    def _tighten(self, box: Container) -> Any:
        words = [word for each in self.profiles for word in ("--profile", each)]
        command = ["tighten", box.name, *words, "--now", "--json"]
        if len(self.profiles) == 1:
            return json.loads(seclatch(*command))
        staying = subprocess.Popen(
            [SCRIPTS / "seclatch", *command, "--stay"], stdout=subprocess.PIPE, text=True
        )
        assert staying.stdout is not None
        first = staying.stdout.readline()
        assert first, "the tightening fails"
        threading.Thread(target=self._count_workers, args=(staying,), daemon=True).start()
        return json.loads(first)

    def _renew(self, box: Container) -> None:
        """Have a worker created, and wait until it has its own profile."""
        before = self.workers
        with RENEW[self.workload.name](box):
            wait_until(lambda: self.workers > before, 90)

    def _count_workers(self, staying: subprocess.Popen[str]) -> None:
        """Count the workers that are bound later, until the container ends."""
        with staying:
            for line in staying.stdout or ():
                document = json.loads(line)
                self.workers += len(document["processes"])
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
    time.sleep(1.5)


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
        made = train_again(work, root, kind, folder)
        for variant in variants if made else ():
            if "worker" not in variant:
                profile = folder / f"{variant.replace(' ', '-')}.json"
                make(variant, made, scanned, profile)
                measure_profile(work, root, variant, profile, (str(profile),))
            elif name in RENEW:
                measure_roles(work, root, variant, made, folder)


def measure_roles(
    work: Workload, root: Path, variant: str, recordings: list[Path], folder: Path
) -> None:
    """Put a profile on each role; the row is about the workers'."""
    files = {role: folder / f"{variant.replace(' ', '-')}-{role}.json" for role in KINDS}
    for role, path in files.items():
        make(variant, recordings, Path(), path, role)
    words = tuple(f"{role}={path}" for role, path in files.items())
    measure_profile(work, root, variant, files[WORKER], words)


def train_again(work: Workload, root: Path, kind: str, folder: Path) -> list[Path]:
    """Train until no step fails; return the recordings, none if it always does."""
    for number in range(TRIES):
        recordings = folder / f"{kind}{number}"
        recordings.mkdir()
        trained = train(work, root, kind, recordings)
        if not trained.fatal and not trained.failed:
            return sorted(recordings.glob("*.json"))
    print(f"{work.name}: the {kind} training run fails: {trained.fatal or trained.failed}")
    return []


def train(work: Workload, root: Path, kind: str, recordings: Path) -> Outcome:
    """Record the short training run, or the wide workload, with a mark once the server answers."""
    run = Run(work, root, started=mark)
    if kind == "light":
        return run.train(recordings, recorded_under())
    return run.widely(recorded_under(), recordings)


def make(variant: str, recordings: list[Path], scanned: Path, output: Path, role: str = "") -> None:
    """Generate a profile of the running phase."""
    words: list[str | Path] = ["generate", "--phase", "running", *recordings, "-o", output]
    words += ["--exact"] if "exact" in variant else []
    words += ["--scan", scanned] if "scan" in variant else []
    words += ["--role", role] if role else []
    seclatch(*words)


def measure_profile(
    work: Workload, root: Path, variant: str, path: Path, profiles: tuple[str, ...]
) -> None:
    """Run the wide workload under profiles and print the row of one."""
    tightener = Tightener(work, profiles)
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
        f"{name:<10} {variant:<17} {size:>5} {closed:>4} {by_arguments:>4} {outcome.steps:>5} "
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
            "workers_bound_later": tightener.workers,
            "requests": tightener.requests,
            "lost": tightener.lost,
        }
        with closing(Path(place).open("a")) as file:
            file.write(json.dumps(row) + "\n")
