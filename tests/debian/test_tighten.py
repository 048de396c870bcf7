"""Real servers are tightened under traffic: no request fails, and every process is bound."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.debian.programs import programs
from tests.debian.server import SECLATCH, Server
from tests.latch.oci import Bundle, Runtime, wait_until
from tests.tighten.binding import count_filters

pytestmark = [pytest.mark.root, pytest.mark.timeout(400)]

# The profile from the start denies what is injected, and the call by which sleeps go on.
OWN = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [
        {"names": ["seccomp", "restart_syscall"], "action": "SCMP_ACT_KILL_PROCESS"},
        {"names": ["prctl"], "action": "SCMP_ACT_ERRNO"},
    ],
}
NEVER = ["bpf", "chroot", "kexec_load", "mount", "ptrace", "setns", "swapon", "unshare"]
EXEC = ["execve", "execveat"]
ROUNDS = 3


class Traffic(threading.Thread):
    """Does the server's work again and again; any failure is kept."""

    def __init__(self, server: Server) -> None:
        super().__init__()
        self.server, self.rounds, self.over = server, 0, threading.Event()
        self.failures: list[BaseException] = []

    def run(self) -> None:
        while not self.over.is_set() and not self.failures:
            try:
                self.server.program.work(self.server.folder)
            except BaseException as error:
                self.failures.append(error)
            self.rounds += 1


def tighten(identity: str, profile: Path, *denied: str) -> dict[str, Any]:
    rule = {"names": [*denied], "action": "SCMP_ACT_ERRNO"}
    profile.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}))
    words = [SECLATCH, "tighten", identity, "--profile", profile, "--now", "--json"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done
    document: dict[str, Any] = json.loads(done.stdout)
    return document


# postgres does not start without prctl(2), and python3's work starts a program for each request
@pytest.mark.parametrize("name", ["nginx", "redis"])
def test_tightened_under_traffic(root: Path, tmp_path: Path, name: str) -> None:
    """Again and again, each time with one more call denied; at last exec."""
    with (
        Server(programs()[name], root) as server,
        server.started(Runtime("runc"), OWN) as bundle,
    ):
        traffic = Traffic(server)
        traffic.start()
        try:
            wait_until(lambda: traffic.rounds > 1 or traffic.failures, "some work", seconds=60)
            for number in range(ROUNDS):
                denied = [*NEVER[: number + 5], *(EXEC if number == ROUNDS - 1 else [])]
                document = tighten(bundle.id, tmp_path / f"{number}.json", *denied)
                assert document["complete"] and "read back" in document["verified"]
            pids = [each["pid"] for each in document["processes"]]
            now = traffic.rounds
            wait_until(lambda: traffic.rounds > now + 1 or traffic.failures, "more", seconds=60)
        finally:
            traffic.over.set()
            traffic.join()
        assert traffic.failures == []
        living = [pid for pid in pids if Path(f"/proc/{pid}").exists()]
        assert living and {count_filters(pid) for pid in living} == {1 + ROUNDS}


def learn(bundle: Bundle, server: Server, folder: Path) -> Path:
    """Record the running server at work, and make a profile of its running phase."""
    recording, profile = folder / "recording.json", folder / "running.json"
    words = [SECLATCH, "record", "--container", bundle.id, "--ready", "listen", "-o", recording]
    with subprocess.Popen(
        [*map(str, words)], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as recorder:
        assert recorder.stderr is not None
        first = recorder.stderr.readline()
        assert "ready (listen)" in first, first + recorder.stderr.read()
        for _ in range(2):
            server.program.work(server.folder)
        recorder.send_signal(signal.SIGINT)
        _, rest = recorder.communicate(timeout=60)
        assert recorder.returncode == 0, rest
    words = [SECLATCH, "generate", "--phase", "running", "-o", profile, recording]
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, check=True)
    assert "the running phase" in done.stderr
    return profile


@pytest.mark.parametrize("name", ["nginx", "redis"])
def test_a_profile_that_was_learnt_from_it(root: Path, tmp_path: Path, name: str) -> None:
    """Recorded, generated, put on under traffic of new connections: none of them fails."""
    with (
        Server(programs()[name], root) as server,
        server.started(Runtime("runc"), OWN) as bundle,
    ):
        profile = learn(bundle, server, tmp_path)
        rules = json.loads(profile.read_text())["syscalls"]
        allowed = [rule["names"] for rule in rules if rule["action"] == "SCMP_ACT_ALLOW"]
        assert not {"execve", "bind", "listen", "mount"}.intersection(itertools.chain(*allowed))
        traffic = Traffic(server)
        traffic.start()
        try:
            wait_until(lambda: traffic.rounds or traffic.failures, "some work", seconds=60)
            words = [SECLATCH, "tighten", bundle.id, "--profile", profile, "--now", "--json"]
            done = subprocess.run([*map(str, words)], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            now = traffic.rounds
            wait_until(lambda: traffic.rounds > now + 2 or traffic.failures, "more", seconds=60)
        finally:
            traffic.over.set()
            traffic.join()
        assert traffic.failures == []


def test_redis_without_accept_is_found_in_the_rehearsal(root: Path, tmp_path: Path) -> None:
    """A profile learnt from clients that stay connected: put on, it would refuse each new one."""
    with (
        Server(programs()["redis"], root) as server,
        server.started(Runtime("runc"), OWN) as bundle,
    ):
        profile = learn(bundle, server, tmp_path)
        document = json.loads(profile.read_text())
        for rule in document["syscalls"]:
            rule["names"] = [each for each in rule["names"] if each not in ("accept", "accept4")]
        profile.write_text(json.dumps(document))
        words = [SECLATCH, "tighten", bundle.id, "--profile", profile, "--rehearse"]
        refused = subprocess.run(
            [*map(str, words), "5s"], capture_output=True, text=True, check=False
        )
        assert refused.returncode == 2 and "would get no connection" in refused.stderr
        traffic = Traffic(server)
        traffic.start()
        try:
            done = subprocess.run(
                [*map(str, words), "5s", "--insist"], capture_output=True, text=True, check=False
            )
        finally:
            traffic.over.set()
            traffic.join()
        assert done.returncode == 125, done.stderr
        assert "accept4: would be denied" in done.stderr and "not put on" in done.stderr
        server.program.work(server.folder)
        assert traffic.failures == []
