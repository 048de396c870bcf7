"""Run seclatch-tighten on programs of tests/programs, and read what it reports."""

from __future__ import annotations

import os
import random
import struct
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from seclatch.model.arch import Arch
from seclatch.model.syscall import load_syscalls
from tests.latch.oci import SCRIPTS

TIGHTEN = SCRIPTS / "seclatch-tighten"

# Exit statuses of tests/programs/in_flight.c.
BOUND, DISTURBED, UNBOUND, LATE = 0, 1, 3, 4


def deny(names: Sequence[str], arch: Arch | None = None) -> bytes:
    """Make a filter that answers EPERM to these calls of one ABI and allows everything else."""
    arch = arch or Arch.native()
    numbers = load_syscalls(arch).numbers
    code = [(0x20, 0, 0, 4), (0x15, 1, 0, arch.audit), (6, 0, 0, 0x7FFF0000), (0x20, 0, 0, 0)]
    for name in names:
        if name in numbers:
            code += [(0x15, 0, 1, numbers[name]), (6, 0, 0, 0x50001)]
    code.append((6, 0, 0, 0x7FFF0000))
    return b"".join(struct.pack("=HBBI", *each) for each in code)


NO_MKDIR = deny(["mkdir", "mkdirat"])

# How much longer programs last, and are waited for, on an emulated machine (tests/arm64).
SLOWNESS = 4 if os.environ.get("SECLATCH_GUEST") else 1


@dataclass(frozen=True)
class Report:
    """Exit status, and by process what was reported of it."""

    status: int
    processes: Mapping[int, Mapping[str, str]]

    def state(self, pid: int) -> str:
        return self.processes[pid]["state"]

    def reason(self, pid: int) -> str:
        return self.processes[pid]["reason"]


def tighten(
    *words: object,
    code: bytes = NO_MKDIR,
    before: Sequence[object] = (),
    timeout: float = 60,
) -> Report:
    """Put the filter on what the words select; `before` goes in front of the command."""
    fd = os.memfd_create("filter", 0)
    os.write(fd, code)
    os.lseek(fd, 0, os.SEEK_SET)
    try:
        wait = ("--wait", str(10000 * SLOWNESS))  # what `words` say counts more
        command = [*map(str, before), str(TIGHTEN), "--fd", str(fd), *wait, *map(str, words)]
        done = subprocess.run(
            command,
            pass_fds=(fd,),
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout * SLOWNESS,
        )
    finally:
        os.close(fd)
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("process ")]
    found = {int(pid): dict(word.split("=", 1) for word in rest) for _, pid, *rest in lines}
    assert found or done.returncode, done.stdout + done.stderr
    return Report(done.returncode, found)


@contextmanager
def in_flight(
    program: Path, kind: str, seconds: float = 1.0, **environment: str
) -> Iterator[subprocess.Popen[str]]:
    """tests/programs/in_flight.c in a call of this kind; killed with its children at the end."""
    with subprocess.Popen(
        [program, kind, str(seconds * SLOWNESS)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout and process.stdout.readline() == "ready\n"
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, 9)


def finish(process: subprocess.Popen[str], timeout: float = 30) -> tuple[int, str]:
    """Wait for its end; return its exit status and what it complained about."""
    assert process.stderr
    status = process.wait(timeout * SLOWNESS)
    return status, process.stderr.read()


def bind_in_flight(
    program: Path,
    kind: str,
    *words: object,
    before: Sequence[object] = (),
    seconds: float = 1.0,
    between: tuple[float, float] = (0.1, 0.4),
    **environment: str,
) -> tuple[Report, int, str]:
    """Bind a program in such a call; return the report, its exit status and its complaints.

    The moment is a random part of the call's time, within `between`. On a busy machine the program
    may end before it can be bound: then with a call that lasts longer.
    """
    for length in (seconds, 5 * seconds, 25 * seconds):
        with in_flight(program, kind, length, **environment) as process:
            time.sleep(length * SLOWNESS * random.uniform(*between))
            report = tighten(*words, process.pid, before=before)
            ended = process.poll() is not None and process.returncode >= 0
            status, complaint = finish(process, timeout=60 + 3 * length)
        if not ended or status == BOUND:
            break
    return report, status, complaint


def count_filters(pid: int, tid: int | None = None) -> int:
    path = Path(f"/proc/{pid}/task/{tid or pid}/status")
    lines = dict(line.split(":\t", 1) for line in path.read_text().splitlines() if ":\t" in line)
    return int(lines["Seccomp_filters"])


def read_state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
