"""Processes in states in which they cannot be stopped: bound later, or named with the reason."""

from __future__ import annotations

import os
import shutil
import signal
import struct
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from errno import ENOENT, EPERM
from pathlib import Path

import pytest

from seclatch.model.arch import Arch
from seclatch.model.syscall import load_syscalls
from tests.conftest import Compiler
from tests.latch.oci import is_hybrid, wait_until
from tests.tighten.binding import (
    BOUND,
    NO_MKDIR,
    TIGHTEN,
    UNBOUND,
    count_filters,
    deny,
    finish,
    in_flight,
    read_state,
    tighten,
)

pytestmark = pytest.mark.root
FREEZER = Path("/sys/fs/cgroup/freezer")
UNTOUCHED = 3


def test_stopped_it_is_bound_and_stays_stopped(compiler: Compiler) -> None:
    with in_flight(compiler("in_flight"), "read", 2.5) as process:
        os.kill(process.pid, signal.SIGSTOP)
        wait_until(lambda: read_state(process.pid) == "T", "the stop")
        report = tighten(process.pid)
        assert report.state(process.pid) == "bound", report
        wait_until(lambda: read_state(process.pid) == "T", "the stop to hold")
        time.sleep(0.1)
        assert read_state(process.pid) == "T"
        os.kill(process.pid, signal.SIGCONT)
        assert finish(process) == (BOUND, "")


def test_stopped_within_a_write_it_is_bound() -> None:
    """The stop has ended the call already, which a stop would spoil otherwise."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, b"x" * 4096)
    os.set_blocking(writing, True)
    with subprocess.Popen(["/bin/echo", "more"], stdout=writing) as process:
        os.close(writing)
        number = str(load_syscalls(Arch.native()).numbers["write"])
        call = Path(f"/proc/{process.pid}/syscall")
        wait_until(lambda: call.read_text().split()[0] == number, "the write")
        report = tighten("--wait", 100, process.pid)
        assert (report.status, report.reason(process.pid)) == (UNTOUCHED, "in-call")
        os.kill(process.pid, signal.SIGSTOP)
        wait_until(lambda: read_state(process.pid) == "T", "the stop")
        assert tighten(process.pid).state(process.pid) == "bound"
        os.kill(process.pid, signal.SIGCONT)
        with os.fdopen(reading, "rb") as reader:
            assert reader.read().endswith(b"xmore\n")
        assert process.wait() == 0


def test_traced_by_another_it_is_named(compiler: Compiler) -> None:
    """Nothing is touched, not its child either, which is not traced."""
    words = ["strace", "-qq", "-o", "/dev/null", compiler("in_flight"), "read", "1"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as tracer:
        assert tracer.stdout and tracer.stdout.readline() == "ready\n"
        children = Path(f"/proc/{tracer.pid}/task/{tracer.pid}/children").read_text()
        pid = int(children.split()[0])
        report = tighten("--wait", 200, pid)
        assert report.status == UNTOUCHED
        assert (report.state(pid), report.reason(pid)) == ("unbound", "traced")
        assert tracer.wait() == UNBOUND


def test_traced_in_one_thread_it_is_bound_by_another(compiler: Compiler) -> None:
    with in_flight(compiler("in_flight"), "threads", 3.0) as process:
        task = Path(f"/proc/{process.pid}/task")
        wait_until(lambda: len(list(task.iterdir())) == 25, "the threads")
        tid = sorted(int(each.name) for each in task.iterdir())[1]  # it is in pause(2)
        words = ["strace", "-qq", "-o", "/dev/null", "-p", str(tid)]
        with subprocess.Popen(words) as tracer:  # without -f: one thread
            wait_until(lambda: _tracer(tid) == tracer.pid, "strace")
            report = tighten(process.pid)
            assert report.state(process.pid) == "bound"
            assert report.processes[process.pid]["tid"] != str(tid)
            assert count_filters(process.pid, tid) == 2
            assert finish(process) == (BOUND, "")


def _tracer(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("TracerPid:")).split()[1])


def test_waiting_for_a_vforked_child_it_is_bound_after_that(compiler: Compiler) -> None:
    """State D for a second; a process that waits for longer than --wait is named."""
    with in_flight(compiler("in_flight"), "long-vfork", 1.0) as process:
        wait_until(lambda: read_state(process.pid) == "D", "vfork")
        report = tighten("--wait", 100, process.pid)
        assert report.status == 1 and report.state(process.pid) == "unbound"
        assert tighten("--wait", 5000, process.pid).state(process.pid) == "bound"
        assert finish(process) == (BOUND, "")


def test_a_zombie_is_passed_over() -> None:
    with subprocess.Popen(["true"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert tighten(process.pid).status == UNTOUCHED


@pytest.fixture
def frozen_group() -> Iterator[Path]:
    """Make a control group that holds processes back, of either version."""
    name = f"seclatch-test-{os.getpid()}"
    mounted = FREEZER if FREEZER.is_dir() else Path("/sys/fs/cgroup")
    group = mounted / name
    group.mkdir()
    yield group
    freeze(group, on=False)
    for pid in (group / "cgroup.procs").read_text().split():
        os.kill(int(pid), signal.SIGKILL)
    wait_until(lambda: not (group / "cgroup.procs").read_text(), "the group to be empty")
    group.rmdir()


def freeze(group: Path, *, on: bool) -> None:
    if (group / "freezer.state").exists():
        (group / "freezer.state").write_text("FROZEN" if on else "THAWED")
    else:
        (group / "cgroup.freeze").write_text("1" if on else "0")


def test_frozen_it_is_named_and_bound_when_it_goes_on(
    compiler: Compiler, frozen_group: Path
) -> None:
    with in_flight(compiler("in_flight"), "read", 2.0) as process:
        (frozen_group / "cgroup.procs").write_text(str(process.pid))
        freeze(frozen_group, on=True)
        time.sleep(0.2)
        report = tighten("--wait", 200, process.pid)
        assert report.status == UNTOUCHED
        assert report.reason(process.pid) == "frozen"
        freeze(frozen_group, on=False)
        assert tighten(process.pid).state(process.pid) == "bound"
        assert finish(process) == (BOUND, "")


CGROUP2 = """
mount -t cgroup2 none /mnt && mkdir /mnt/seclatch-test-$$ && cd /mnt/seclatch-test-$$ || exit 9
echo "$1" > cgroup.procs
echo 1 > cgroup.freeze
sleep 0.2
"$0" --wait 300 --fd 9 "$1" 9<"$2" || echo "status=$?"
echo 0 > cgroup.freeze
"$0" --wait 300 --fd 9 "$1" 9<"$2"
echo "$1" > /mnt/cgroup.procs
cd / && rmdir /mnt/seclatch-test-$$
"""


@pytest.mark.skipif(not is_hybrid(), reason="the test before this one has frozen by version 2")
def test_frozen_by_version_2(compiler: Compiler, tmp_path: Path) -> None:
    """There a thread does stop, but what it is to call is not run before it goes on."""
    (tmp_path / "filter").write_bytes(NO_MKDIR)
    with in_flight(compiler("in_flight"), "read", 2.0) as process:
        words = ["sh", "-c", CGROUP2, TIGHTEN, process.pid, tmp_path / "filter"]
        done = subprocess.run(
            ["unshare", "-m", *map(str, words)], capture_output=True, text=True, check=False
        )
        assert "reason=frozen" in done.stdout and "status=3" in done.stdout, done
        assert "state=bound" in done.stdout, done
        assert finish(process) == (BOUND, "")


def test_a_32_bit_program(compiler: Compiler) -> None:
    """It sleeps by int 0x80, and goes on to sleep; on arm64 it is named, and not stopped."""
    arm = Arch.native() is Arch.AARCH64
    program = compiler("sleep_32bit", "-m32", "-nostdlib", "-ffreestanding", "-no-pie")
    try:
        process = subprocess.Popen([program])
    except OSError as error:
        pytest.skip(f"this CPU runs no 32-bit programs: {error}")
    with process:
        wait_until(lambda: read_state(process.pid) == "S", "its sleep")
        report = tighten(process.pid, code=deny(["mkdir"], Arch.ARM if arm else Arch.X86))
        if arm:
            assert (report.status, report.reason(process.pid)) == (UNTOUCHED, "not-entered")
            assert count_filters(process.pid) == 0
        else:
            assert report.state(process.pid) == "bound"
        assert process.wait() == (ENOENT if arm else EPERM)


def test_what_escapes_by_forking_is_caught(compiler: Compiler) -> None:
    """A program that forks all the time: in the end each of its processes is bound."""
    with in_flight(compiler("in_flight"), "forks", 2.0) as process:
        time.sleep(0.3)
        report = tighten(process.pid)
        assert report.status == 0
        pids = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        counts = set()
        for pid in pids:
            try:
                counts.add(count_filters(int(pid)))
            except (OSError, KeyError):
                continue
        assert counts <= {2}
        assert finish(process) == (BOUND, "")


def test_no_new_privs_is_set_or_refused(compiler: Compiler) -> None:
    """A process without it and without CAP_SYS_ADMIN cannot load a filter."""
    words = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--reuid=65534", "--clear-groups"]
    program = compiler("pausing")
    with subprocess.Popen([*words, program]) as process:
        wait_until(lambda: b"pausing" in Path(f"/proc/{process.pid}/comm").read_bytes(), "it")
        report = tighten("--no-new-privs", "never", process.pid)
        assert (report.status, report.reason(process.pid)) == (UNTOUCHED, "no-new-privs")
        report = tighten(process.pid)
        assert report.processes[process.pid]["no-new-privs"] == "1"
        assert "NoNewPrivs:\t1" in Path(f"/proc/{process.pid}/status").read_text()
        process.kill()


def test_memory_is_as_before_also_where_the_kernel_refuses(compiler: Compiler) -> None:
    """Nothing of the mapping that was used is left."""
    with in_flight(compiler("in_flight"), "epoll", 3.0) as process:
        maps = Path(f"/proc/{process.pid}/maps")
        before = [line.split(" ")[:2] for line in maps.read_text().splitlines()]
        report = tighten(process.pid, code=struct.pack("=HBBI", 0xFFFF, 0, 0, 0))
        assert (report.status, report.reason(process.pid)) == (1, "refused")
        assert count_filters(process.pid) == 1
        assert tighten(process.pid).state(process.pid) == "bound"
        assert [line.split(" ")[:2] for line in maps.read_text().splitlines()] == before
        assert finish(process) == (BOUND, "")


@pytest.mark.parametrize(
    ("capability", "after"), [("-sys_admin", "65534"), ("+sys_admin", "0")], ids=["without", "with"]
)
def test_set_uid_programs_afterwards(compiler: Compiler, capability: str, after: str) -> None:
    """CAP_SYS_ADMIN loads a filter without no_new_privs, and set-uid programs go on to work."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:  # others may enter it
        Path(folder).chmod(0o755)
        program = Path(shutil.copy(compiler("whoami"), folder))
        program.chmod(0o4755)
        user = ["setpriv", "--reuid=65534", "--clear-groups", f"--inh-caps={capability}"]
        words = [
            *user,
            f"--ambient-caps={capability}",
            "sh",
            "-c",
            f"while read _; do {program}; done",
        ]
        pipe = subprocess.PIPE
        with subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True) as shell:

            def ask() -> str:
                assert shell.stdin and shell.stdout
                shell.stdin.write("\n")
                shell.stdin.flush()
                return shell.stdout.readline().split()[-1]

            assert ask() == "0"
            assert tighten(shell.pid).state(shell.pid) == "bound"
            assert ask() == after
            assert shell.stdin
            shell.stdin.close()
