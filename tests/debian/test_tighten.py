"""Real servers are tightened under traffic: no request fails, and every process is bound."""

from __future__ import annotations

import json
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.debian.programs import programs
from tests.debian.server import SECLATCH, Server
from tests.latch.oci import Runtime, wait_until
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
