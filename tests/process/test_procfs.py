"""Reading /proc/PID: status lines that no process name can forge, argv, control groups."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from seclatch.system.procfs import (
    list_threads,
    parse_status,
    read_argv,
    read_cgroups,
    read_command_line,
    read_executable,
    read_file,
    read_status,
    read_status_line,
)

STATUS = b"""Name:\tsh\\nSeccomp:\\t0
Umask:\t0022
State:\tS (sleeping)
Tgid:\t12
PPid:\t3
Uid:\t1000\t0\t1000\t1000
VmSize:\t    100 kB
Threads:\t2
CapBnd:\t000001fffeffffff
NoNewPrivs:\t1
Seccomp:\t2
Seccomp_filters:\t3
"""


def test_a_status() -> None:
    status = parse_status(STATUS)
    assert (status.comm, status.state, status.parent, status.uid) == (
        "sh\\nSeccomp:\\t0",
        "S",
        3,
        0,
    )
    assert (status.mode, status.filters, status.no_new_privs, status.threads) == (2, 3, True, 2)
    assert status.capabilities == 0x1FFFEFFFFFF and status.has_memory


def test_an_old_kernel_does_not_count_filters() -> None:
    assert parse_status(STATUS.replace(b"Seccomp_filters:\t3\n", b"")).filters == -1


def test_a_kernel_thread_has_no_memory_and_a_zombie_is_none() -> None:
    assert not parse_status(STATUS.replace(b"VmSize", b"Xxxxxx")).has_memory
    zombie = STATUS.replace(b"VmSize", b"Xxxxxx").replace(b"S (sleeping)", b"Z (zombie)")
    assert parse_status(zombie).has_memory


@given(st.binary(max_size=300))
def test_a_name_cannot_forge_a_line(name: bytes) -> None:
    """The kernel escapes newlines in it (fs/proc/array.c, proc_task_name)."""
    shown = name.replace(b"\\", b"\\\\").replace(b"\n", b"\\n")
    status = parse_status(STATUS.replace(b"sh\\nSeccomp:\\t0", shown))
    assert (status.mode, status.parent) == (2, 3)


def test_this_process() -> None:
    pid = os.getpid()
    status = read_status(pid)
    assert status and status.parent == os.getppid() and status.threads >= 1
    assert pid in list_threads(pid)
    assert read_command_line(pid, "R")[0]
    assert read_argv(pid) == (read_command_line(pid, "R"), False)
    assert read_argv(pid, 2)[1]
    assert int(read_status_line("self", b"PPid") or 0) == os.getppid()
    assert read_status_line(pid, b"Nothing") is None
    assert read_executable(pid) == Path("/proc/self/exe").readlink().name
    assert all(path.startswith("/") for path in read_cgroups(pid))


def test_an_ended_process_is_absent() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    pid = process.pid
    assert read_status(pid) is None
    assert (list_threads(pid), read_command_line(pid, "S"), read_executable(pid)) == ([], (), "")


def test_a_file_that_comes_in_parts_is_read_to_its_end() -> None:
    """A read of smaps returns at most a page, as one of cgroup.procs does."""
    content = read_file("/proc/self/smaps", 1 << 20)
    assert content.count(b"VmFlags:") > 50
    assert len(read_file("/proc/self/smaps", 5000)) == 5000
    assert read_file("/proc/self/missing", 5000) == b""
