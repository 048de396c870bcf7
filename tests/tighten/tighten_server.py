"""Learn a profile of a real server, and put it on while clients make other requests."""

from __future__ import annotations

import json
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.debian.server import SECLATCH, Server
from tests.latch.oci import Bundle, Runtime
from tests.tighten.traffic import AFTER, DURING, FailedRequest, Traffic
from tests.tighten.traffic_programs import TrafficProgram

# The profile from the start kills for what is injected, and for the call by which sleeps go on. As
# Docker's default does, it denies io_uring, whose requests pass no filter: node goes without.
OWN: dict[str, Any] = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [
        {"names": ["seccomp", "restart_syscall"], "action": "SCMP_ACT_KILL_PROCESS"},
        {"names": ["io_uring_setup"], "action": "SCMP_ACT_ERRNO"},
    ],
}


@contextmanager
def recording(bundle: Bundle, output: Path) -> Iterator[None]:
    """Record a running container, from its being ready on."""
    words = [SECLATCH, "record", "--container", bundle.id, "--ready", "listen", "-o", output]
    with subprocess.Popen(
        [*map(str, words)], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as recorder:
        try:
            assert recorder.stderr is not None
            first = recorder.stderr.readline()
            assert "ready (listen)" in first, first + recorder.stderr.read()
            yield
            recorder.send_signal(signal.SIGINT)
            _, rest = recorder.communicate(timeout=120)
            assert recorder.returncode == 0, rest
        finally:
            recorder.kill()


def learn(bundle: Bundle, train: Callable[[], object], output: Path, scanned: str = "") -> None:
    """Record the running server in training, and make a profile of its running phase.

    `scanned`: a program whose scan is joined.
    """
    recorded = output.with_suffix(".recording")
    with recording(bundle, recorded):
        train()
    words = [SECLATCH, "generate", "--phase", "running", "-o", output, recorded]
    if scanned:
        scan, root = output.with_suffix(".scan"), bundle.config["root"]["path"]
        point = ["--entrypoint", scanned, "-o", scan, root]
        subprocess.run([SECLATCH, "scan", *point], capture_output=True, check=True)
        words += ["--scan", scan]
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, check=True)
    assert "the running phase" in done.stderr


def train(program: TrafficProgram, folder: Path, rounds: int = 3) -> None:
    """Do the training's work, from as many clients at once as it is made for."""

    def work(_: int) -> None:
        for _ in range(rounds):
            program.program.work(folder)

    with ThreadPoolExecutor(program.trainers) as pool:
        list(pool.map(work, range(program.trainers)))


def make_killing(profile: Path, output: Path) -> None:
    """Make the profile kill for what it denied with an errno by default."""
    document = json.loads(profile.read_text())
    document.pop("defaultErrnoRet", None)
    output.write_text(json.dumps({**document, "defaultAction": "SCMP_ACT_KILL_PROCESS"}))


@dataclass(frozen=True)
class Tightened:
    """One profile put on one server under traffic. `calls`: names that it allows."""

    title: str
    answer: str
    calls: int
    processes: int
    threads: int
    counts: Counter[tuple[str, str]]
    pids: list[int]
    pauses: list[float]
    failed: list[FailedRequest]

    def count(self, phase: str) -> int:
        """Return how many requests were made in this phase."""
        return sum(self.counts[phase, kind] for kind in ("new", "kept"))

    @property
    def connections(self) -> int:
        """How many connections were opened after the tightening, and used."""
        return self.counts[AFTER, "new"]


def tighten_under_traffic(
    program: TrafficProgram, server: Server, bundle: Bundle, folder: Path
) -> Iterator[Tightened]:
    """Learn a profile, put it on under traffic, and then once more as one that kills."""
    errno, killing = folder / "running.json", folder / "killing.json"
    learn(bundle, lambda: train(program, server.folder), errno, program.scanned)
    make_killing(errno, killing)
    for answer, profile in (("errno", errno), ("kill", killing)):
        with Traffic(program, server.folder) as traffic:
            traffic.wait_for_work()
            assert traffic.failed == []
            traffic.phase = DURING
            document = put_on(bundle.id, profile)
            traffic.phase = AFTER
            traffic.wait_for_work(rounds=3)
        yield describe(program, answer, profile, document, traffic)


def put_on(identity: str, profile: Path) -> dict[str, Any]:
    """Tighten a container at once; return the report."""
    words = [SECLATCH, "tighten", identity, "--profile", profile, "--now", "--json"]
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout, done.stderr)
    document: dict[str, Any] = json.loads(done.stdout)
    assert document["complete"] and "read back" in document["verified"], document
    return document


def describe(
    program: TrafficProgram, answer: str, profile: Path, document: dict[str, Any], traffic: Traffic
) -> Tightened:
    """Return what happened."""
    rules = json.loads(profile.read_text())["syscalls"]
    allowed = {
        name for rule in rules if rule["action"] == "SCMP_ACT_ALLOW" for name in rule["names"]
    }
    bound = [each for each in document["processes"] if each["state"] == "bound"]
    return Tightened(
        program.program.name,
        answer,
        len(allowed),
        len(bound),
        sum(each["threads"] for each in bound),
        traffic.counts,
        [each["pid"] for each in bound],
        [each["pause"] / 1000 for each in bound],
        traffic.failed,
    )


@contextmanager
def started(
    program: TrafficProgram, root: Path, own: dict[str, Any] = OWN
) -> Iterator[tuple[Server, Bundle]]:
    """Start a server under its own profile, which kills for what is injected."""
    with Server(program.program, root) as server, server.started(Runtime("runc"), own) as bundle:
        yield server, bundle
