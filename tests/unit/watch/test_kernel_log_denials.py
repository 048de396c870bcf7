"""Records of /dev/kmsg: the kernel's own audit lines are taken, and losses are counted."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from seclatch.model.seen_denial import SeenAnswer
from seclatch.system import procfs
from seclatch.watch.sources import kernel_log_denials
from seclatch.watch.sources.kernel_log_denials import KernelLogDenials
from tests.unit.watch.test_audit_denials import line

SECCOMP = "audit: type=1326 " + line()


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, KernelLogDenials]]:
    """Provide the writing end of what stands for the device: a record a message."""
    read, write = os.pipe2(os.O_DIRECT | os.O_NONBLOCK)
    monkeypatch.setattr(kernel_log_denials, "_DEVICE", f"/dev/fd/{read}")
    monkeypatch.setattr(kernel_log_denials, "require_host_pids", lambda _: None)
    monkeypatch.setattr(kernel_log_denials, "_refuse_audit_daemon", lambda: None)
    monkeypatch.setattr(os, "lseek", lambda *_: 0)
    opened = KernelLogDenials()
    yield write, opened
    opened.close()
    os.close(read)
    os.close(write)


def test_only_the_kernels_own_records_count(log: tuple[int, KernelLogDenials]) -> None:
    write, source = log
    for record in (
        f"5,100,25111683645,-;{SECCOMP}\n SUBSYSTEM=x\n",
        f"13,101,25111683646,-;{SECCOMP}\n",  # facility 1: written by a process
        f"5,102,25111683647,-,caller=T1;{SECCOMP[:60]}\n",
        f"5,103,25111683648,-;x {SECCOMP}\n",
        "5,104,25111683649,-;audit: type=1400 audit(1.1:1): apparmor\n",
        "no record",
    ):
        os.write(write, record.encode())
    (found,) = source.take()
    assert (found.answer, found.process.pid) == (SeenAnswer.KILL_PROCESS, 77)
    assert source.take_lost() == 0


def test_suppressed_lines_are_counted(log: tuple[int, KernelLogDenials]) -> None:
    write, source = log
    os.write(write, b"4,1,1,-;kauditd_printk_skb: 482 callbacks suppressed\n")
    os.write(write, b"12,1,1,-;kauditd_printk_skb: 7 callbacks suppressed\n")
    assert list(source.take()) == []
    assert (source.take_lost(), source.take_lost()) == (482, 0)


@pytest.mark.parametrize(
    ("uid", "numbers", "takes"), [(0, "7", True), (0, "7\t1", False), (1000, "7", False)]
)
def test_only_the_host_s_audit_daemon_takes_the_lines(
    monkeypatch: pytest.MonkeyPatch, uid: int, numbers: str, takes: bool
) -> None:
    """A program that is called so in a container would keep the host from being watched."""
    own = procfs.read_status_file("self").decode().splitlines()
    changed = {"Name": "auditd", "Uid": f"{uid}\t{uid}\t{uid}\t{uid}", "NSpid": numbers}
    lines = [
        f"{name}:\t{changed.get(name, value)}"
        for name, _, value in (line.partition(":\t") for line in own)
    ]
    data = ("\n".join(lines) + "\n").encode()
    monkeypatch.setattr(procfs, "read_status_file", lambda _: data)
    assert kernel_log_denials._is_audit_daemon(7) is takes
