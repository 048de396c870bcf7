"""Measure what generated profiles break and close: a short training run, then a wide workload.

SERVERS and VARIANTS (environment variables, comma-separated) choose among them; HELD_OUT=1 runs the
two servers that are kept out of development. TABLE names a file to which the rows are added.
"""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.profiles.container import CAPABILITIES
from bench.profiles.make import VARIANTS, make, scan, strace_like
from bench.profiles.measure import allowed, cut, list_published
from bench.profiles.root import server_root
from bench.profiles.run import Outcome, Run
from bench.profiles.servers import DEVELOPED, HELD_OUT, packages, workload
from seclatch.model.arch import Arch
from seclatch.profile.compile.resolve_profile import Engine, Host, narrow_profile
from seclatch.profile.curated.default_profiles import load_default
from seclatch.profile.export import oci

HEAD = (
    f"{'server':<10} {'profile':<16} {'calls':>5} {'CVEs':>4} {'steps':>5} {'failed':>6} "
    f"{'exec':>4} {'spin':>4} {'ruined':>6}"
)


def report(_: int) -> None:
    """Measure and print each row as it is known."""
    print_commit()
    print("CVEs: of 36, all calls denied")
    print(HEAD, flush=True)
    with server_root(packages()) as root:
        for name in chosen_servers():
            with tempfile.TemporaryDirectory(prefix="sl-") as folder:
                server(name, root, Path(folder))


def chosen_servers() -> tuple[str, ...]:
    """Return the servers that SERVERS or HELD_OUT choose."""
    chosen = os.environ.get("SERVERS")
    if chosen:
        return tuple(chosen.split(","))
    return HELD_OUT if "HELD_OUT" in os.environ else DEVELOPED


def server(name: str, root: Path, folder: Path) -> None:
    """Train, generate and measure one server."""
    work = workload(name)
    recordings = folder / "training"
    recordings.mkdir()
    trained = Run(work, root).train(recordings, recorded_under())
    if trained.fatal or trained.failed:
        print(f"{name}: the training run fails: {trained.fatal or trained.failed}")
        return
    recording, scanned = recordings / "1.json", folder / "scan.json"
    scan(work, root, scanned)
    wanted = os.environ.get("VARIANTS", "").split(",")
    profiles = {
        each.name: make(each, recording, scanned, folder / "profile.json")
        for each in VARIANTS
        if wanted == [""] or each.name in wanted
    }
    if "docker" in wanted:
        profiles["docker"] = recorded_under()
    if "strace" in wanted:
        profiles["strace"] = strace_like(recording)
    for title, profile in profiles.items():
        denials = folder / title.replace(" ", "")
        denials.mkdir()
        outcome = Run(work, root, plain=title == "strace").widely(profile, denials)
        show(name, title, profile, outcome)
    for tool, denied, closed in list_published(name):
        print(f"{name:<10} {tool:<24} denies {denied} calls, cuts {closed} (published)")


def show(name: str, title: str, profile: dict[str, Any], outcome: Outcome) -> None:
    """Print one row, and what failed below it."""
    size, closed = len(allowed(profile)), cut(profile)
    row = (
        f"{name:<10} {title:<16} {size:>5} {closed:>4} {outcome.steps:>5} "
        f"{'start' if outcome.fatal else len(outcome.failed):>6} {len(outcome.executed):>4} "
        f"{len(outcome.spinning):>4} {'yes' if outcome.ruined else 'no':>6}"
    )
    print(row, flush=True)
    if place := os.environ.get("TABLE"):
        with Path(place).open("a") as file:
            found = {"server": name, "profile": title, "calls": size, "cves": closed}
            file.write(json.dumps(found | asdict(outcome)) + "\n")


def recorded_under() -> dict[str, Any]:
    """Return dockerd's filter for such a container: the training runs under it."""
    host = Host(Arch.native(), frozenset(CAPABILITIES), (6, 12), Engine.DOCKER)
    return oci.make_document(narrow_profile(load_default(Engine.DOCKER), host))


def print_commit() -> None:
    """Print the commit that is measured, and the date."""
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    print(f"{done.stdout.strip()}, {datetime.date.today()}")
