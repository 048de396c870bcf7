"""Profiles by role: recorded, generated, and put on workers, later ones as well."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from errno import EPERM
from pathlib import Path

import pytest

from seclatch.recording.files.recording_file import read_recording
from tests.conftest import Compiler
from tests.latch.oci import SCRIPTS, wait_until
from tests.process.conftest import seclatch
from tests.tighten.binding import count_filters, tighten
from tests.tighten.test_command import container, profile

__all__ = ["container"]

pytestmark = pytest.mark.root
SECLATCH = str(SCRIPTS / "seclatch")
STARTED = 1.3
"""Seconds after which a worker counts as started."""

WORKER = "(while :; do cd /; sleep 0.2; done) & while :; do umask 22; sleep 0.2; done"


@dataclass
class Server:
    """tests/programs/forking_server.c."""

    process: subprocess.Popen[str]
    port: int

    def ask(self, letter: str = "p") -> tuple[int, int]:
        """Return the worker's process id and the errno of what it was asked to do."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            connection.sendall(letter.encode())
            worker, error = connection.makefile().readline().split()
        return int(worker), int(error)

    def replace_worker(self) -> int:
        """Kill the worker; return the next one."""
        worker = self.ask()[0]
        os.kill(worker, signal.SIGKILL)
        # Before that, accept(2) may still give it a connection, whose end is lost with it.
        wait_until(lambda: not Path(f"/proc/{worker}").exists(), "its end")
        return self.ask()[0]


@contextmanager
def serving(*words: str | Path) -> Iterator[Server]:
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            assert process.stdout
            yield Server(process, int(process.stdout.readline()))
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def record(program: Path, folder: Path) -> Path:
    """Record it in two phases, with a worker that is replaced after the mark."""
    output, errors = folder / "r.json", folder / "errors"
    words = [SECLATCH, "record", "--ready", "listen", "--seconds", "60", "-o", str(output)]
    with errors.open("w") as log:
        process = subprocess.Popen(
            [*words, "--", str(program), str(folder / "recorded")],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdout
    server = Server(process, int(process.stdout.readline()))
    wait_until(lambda: "the running phase begins" in errors.read_text(), "the mark")
    time.sleep(STARTED)
    server.ask()
    worker = server.replace_worker()
    time.sleep(STARTED)
    server.ask()
    main = int(Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(main, signal.SIGKILL)
    os.kill(worker, signal.SIGKILL)
    process.wait(60)
    return output


def generate(recording: Path, role: str, output: Path) -> Path:
    words = ("--phase", "running", "--exact", "--role", role, "-o", output, recording)
    done = seclatch("generate", *words)
    assert done.returncode == 0, done
    return output


def test_a_worker_gets_the_profile_of_its_role(compiler: Compiler, tmp_path: Path) -> None:
    """Its start needs mkdir, and so does main's profile, which a new worker inherits."""
    program = compiler("forking_server")
    recording = record(program, tmp_path)
    roles = {each.name: each for each in read_recording(recording).roles}
    made = {name: {call.name for call in role.calls} for name, role in roles.items()}
    assert "mkdir" in made["forking_server:main"]
    assert {"accept", "write"} <= made["forking_server:worker"]
    assert not {"mkdir", "bind", "wait4"} & made["forking_server:worker"], made
    assert roles["forking_server:worker"].processes == 2
    shown = seclatch("show", "--by", "role", recording).stdout
    assert "forking_server:worker" in shown.splitlines()[1]

    files = {role: generate(recording, role, tmp_path / f"{role}.json") for role in roles_of()}
    words = [f"--profile={role}={file}" for role, file in files.items()]
    with serving(program, tmp_path / "bound") as server:
        first, error = server.ask("m")
        assert error != EPERM
        command = [
            SECLATCH,
            "tighten",
            str(server.process.pid),
            *words,
            "--now",
            "--stay",
            "--json",
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as staying:
            assert staying.stdout
            document = json.loads(staying.stdout.readline())
            bound = {each["pid"]: each for each in document["processes"]}
            assert document["complete"] and bound[first]["role"] == "forking_server:worker"
            assert bound[server.process.pid]["role"] == "forking_server:main"
            assert server.ask("m") == (first, EPERM)
            second = server.replace_worker()
            later = json.loads(staying.stdout.readline())
            assert [each["pid"] for each in later["processes"]] == [second]
            assert server.ask("m") == (second, EPERM)
            assert count_filters(second) == count_filters(server.process.pid) + 1
            os.kill(staying.pid, signal.SIGTERM)
            assert staying.wait(60) == 0


def roles_of() -> tuple[str, str]:
    return "main", "worker"


def test_another_process_of_that_id_is_left_alone(compiler: Compiler) -> None:
    with subprocess.Popen([compiler("pausing")]) as process:
        report = tighten("--alone", f"{process.pid}:1")
        assert report.status and not report.processes
        assert count_filters(process.pid) == 0
        process.kill()


@pytest.mark.parametrize("script", [WORKER], ids=["forks"])
def test_a_rehearsal_judges_each_role(
    container: tuple[str, int], script: str, tmp_path: Path
) -> None:
    name, pid = container
    wait_until(lambda: Path(f"/proc/{pid}/task/{pid}/children").read_text().split(), "a worker")
    harmless = profile(tmp_path, "mkdirat", name="harmless.json")
    strict = profile(tmp_path, "chdir", name="strict.json")
    words = ("tighten", name, "--rehearse", "1s", f"--profile=main={harmless}")
    done = seclatch(*words)
    assert done.returncode == 2 and "roles without a profile: busybox:worker" in done.stderr, done
    done = seclatch(*words, f"--profile=worker={strict}")
    assert done.returncode == 125, done
    assert "chdir: would be denied" in done.stderr and "by busybox:worker" in done.stderr
    assert count_filters(pid) == 1
    done = seclatch(*words, f"--profile=worker={harmless}")
    assert done.returncode == 0 and "(main)" in done.stdout and "(worker)" in done.stdout, done
    assert "--stay puts these on" in done.stderr
    assert count_filters(pid) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--profile", "main=a", "--profile", "main=b"], "there are two for main"),
        (["--profile", "worker=a"], "roles without a profile: pausing:main"),
    ],
)
def test_wrong_profiles(compiler: Compiler, words: list[str], message: str) -> None:
    with subprocess.Popen([compiler("pausing")]) as process:
        done = seclatch("tighten", process.pid, *words, "--now")
        assert done.returncode == 2 and message in done.stderr, done
        process.kill()
