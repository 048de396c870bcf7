"""Each answer of a filter is seen, with its count, by each way that this kernel permits."""

from __future__ import annotations

import contextlib
import platform
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from seclatch.errors import SeclatchError
from seclatch.watch.sources.audit_denials import AuditDenials
from seclatch.watch.sources.kernel_log_denials import KernelLogDenials
from tests.conftest import Compiler
from tests.latch.oci import SCRIPTS
from tests.watch.conftest import Watch, Watched, permitted, start_watch

pytestmark = pytest.mark.root

FORGED = (
    "<5>audit: type=1326 audit(1795784920.656:101208): auid=4294967295 uid=0 gid=0 ses=4294967295 "
    'pid=4711 comm="x" exe="/x" sig=31 arch=c000003e syscall=110 compat=0 ip=0x1 code=0x80000000\n'
)
SIGNALLED = [
    (["trap"], ("trap", ""), 3),
    (["trap", "tsync"], ("trap", ""), 3),
    (["kill"], ("kill-process", ""), 1),
    (["kill", "thread"], ("kill-process", ""), 1),
    (["kill_thread"], ("kill-thread", ""), 1),
    (["kill_thread", "thread"], ("kill-thread", ""), 1),
    (["kill_thread", "tsync"], ("kill-thread", ""), 1),
]
RETURNED = [
    (["errno"], ("errno", "E2BIG"), 3),
    (["errno", "thread"], ("errno", "E2BIG"), 3),
    (["errno", "tsync"], ("errno", "E2BIG"), 3),
]
ANSWERS = [
    (["trace"], ("trace", "ENOSYS"), 3),
    (["notify"], ("notify", "EACCES"), 3),
    (["errno_flag"], ("errno", "EDOM"), 3),
    (["errno_zero"], ("errno", "0"), 3),
]
FULL = [way for way in ("check", "calls") if permitted(way)]


def run(program: Path, words: list[str]) -> int:
    """Run it to its end; its pid."""
    process = subprocess.Popen([program, *words])
    process.wait(timeout=60)
    return process.pid


def check_counts(watched: Watched, pid: int, answer: tuple[str, str], count: int) -> None:
    assert watched.counts(pid=pid) == {("getppid", *answer): count}
    assert watched.status == 0
    events = [event.event for event in watched.events]
    assert (events[0], events[-1]) == ("begin", "end")
    assert "lost" not in events


@pytest.mark.parametrize("way", FULL)
def test_each_answer(watch: Watch, compiler: Compiler, way: str) -> None:
    with watch("--way", way) as watched:
        pids = [run(compiler("denials"), words) for words, _, _ in SIGNALLED + RETURNED]
        others = [run(compiler("answers"), words) for words, _, _ in ANSWERS]
    cases = [*SIGNALLED, *RETURNED, *ANSWERS]
    for pid, (_, answer, count) in zip([*pids, *others], cases, strict=True):
        check_counts(watched, pid, answer, count)
    for one in watched.of(pid=pids[0]):
        assert one.filter.fingerprint
        assert one.args is not None and len(one.args) == 6


def test_cheap_sees_signals_and_flagged_filters(watch: Watch, compiler: Compiler) -> None:
    with watch("--cheap") as watched:
        pids = [run(compiler("denials"), words) for words, _, _ in SIGNALLED]
        silent = run(compiler("denials"), ["errno"])
        flagged = run(compiler("answers"), ["errno_flag"])
    for pid, (_, answer, count) in zip(pids, SIGNALLED, strict=True):
        check_counts(watched, pid, answer, count)
    assert watched.of(pid=silent) == []
    assert "SECCOMP_FILTER_FLAG_LOG" in watched.errors
    # errno by eBPF, or by an audit line, which does not have it
    assert watched.counts(pid=flagged) in (
        {("getppid", "errno", "EDOM"): 3},
        {("getppid", "errno", ""): 3},
    )


def test_logged_calls_are_seen(watch: Watch, compiler: Compiler) -> None:
    """By fentry, or else from audit lines; where the kernel permits neither, a message says so."""
    with watch() as watched:
        pid = run(compiler("answers"), ["log"])
    assert watched.counts(pid=pid) == {("getppid", "log", ""): 3}
    assert watched.events[0].sees.count("log") == 1


@pytest.mark.skipif(platform.machine() != "x86_64", reason="int 0x80 is of x86")
@pytest.mark.parametrize("way", FULL)
def test_a_32_bit_call_has_its_own_name(watch: Watch, compiler: Compiler, way: str) -> None:
    with watch("--way", way) as watched:
        pid = run(compiler("answers"), ["compat"])
    (one,) = watched.of(pid=pid)
    assert (one.arch, one.syscall, one.number, one.count) == ("x86", "getppid", 64, 3)


def test_counts_are_those_of_strace(watch: Watch, compiler: Compiler, tmp_path: Path) -> None:
    """A storm, with strace counting in the same run: nothing is lost and nothing is added."""
    log = tmp_path / "strace"
    tracer = ["strace", "-f", "-qq", "-o", log, "-e", "trace=getppid,setsid,rmdir"]
    with watch("--way", "calls") as watched:
        subprocess.run([*tracer, compiler("answers"), "storm", "1001"], check=True)
    lines = re.findall(r"(\d+) +(getppid|setsid)\(\) += -1 EDOM", log.read_text())
    seen = Counter(call for _, call in lines)
    assert sum(seen.values()) == 1001
    [pid] = {int(pid) for pid, _ in lines}
    counts = {call: count for (call, _, _), count in watched.counts(pid=pid).items()}
    assert counts == seen


def test_a_hundred_thousand_are_counted_in_a_few_lines(watch: Watch, compiler: Compiler) -> None:
    with watch("--way", "calls") as watched:
        pid = run(compiler("answers"), ["storm", "200000"])
    assert sum(watched.counts(pid=pid).values()) == 200_000
    assert len(watched.of(pid=pid)) < 100


def test_a_kernel_that_refuses_is_named(watch: Watch) -> None:
    if permitted("check"):
        pytest.skip("this kernel takes fexit programs")
    with pytest.raises(AssertionError, match=r"--way calls"), watch("--way", "check"):
        pass


UNPRIVILEGED = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--reuid=65534"]
UNPRIVILEGED += ["--clear-groups"]


@contextlib.contextmanager
def set_kernel(name: str, value: str) -> Iterator[None]:
    setting = Path("/proc/sys/kernel", name)
    before = setting.read_text()
    setting.write_text(value)
    try:
        yield
    finally:
        setting.write_text(before)


def test_without_privileges_it_is_refused_with_the_reason() -> None:
    with set_kernel("dmesg_restrict", "1"):
        done = subprocess.run(
            [*UNPRIVILEGED, SCRIPTS / "seclatch", "watch", "--seconds", "1"],
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 125
    for reason in ("CAP_BPF", "bind to the audit log", "/dev/kmsg: Operation not permitted"):
        assert reason in done.stderr
    assert "seclatch record -- COMMAND" in done.stderr and "Traceback" not in done.stderr


def test_without_privileges_the_kernels_log_is_read(compiler: Compiler) -> None:
    """The kernel's lines, and none that is written to the device; denials of another user, too."""
    # other tests may be denied calls at the same time: their lines must not push these out
    with set_kernel("dmesg_restrict", "0"), set_kernel("printk_ratelimit", "0"):
        try:
            AuditDenials().close()
            KernelLogDenials().close()
        except SeclatchError as error:
            assert "CONFIG_AUDIT" in str(error.remedy) or "auditd" in str(error)
            return
        words = [*UNPRIVILEGED, str(SCRIPTS / "seclatch"), "watch", "--json"]
        with start_watch(words) as watched:
            pid = run(compiler("denials"), ["kill"])
            line = Path("/dev/kmsg")
            line.write_text(FORGED)
            silent = run(compiler("denials"), ["errno"])
    assert watched.counts(pid=pid) == {("getppid", "kill-process", ""): 1}
    assert not watched.of(pid=4711) and not watched.of(pid=silent)
    assert watched.events[0].way == "kernel-log" and "errno" not in watched.events[0].sees
    assert "kernel.printk_ratelimit" in watched.errors


def test_without_ebpf_audit_lines_are_read(compiler: Compiler) -> None:
    drop = ["setpriv", "--bounding-set=-sys_admin,-bpf,-perfmon"]
    with contextlib.suppress(SeclatchError):
        AuditDenials().close()
        with start_watch([*drop, str(SCRIPTS / "seclatch"), "watch", "--json"]) as watched:
            pid = run(compiler("denials"), ["kill"])
            logged = run(compiler("answers"), ["log"])
        assert watched.counts(pid=pid) == {("getppid", "kill-process", ""): 1}
        assert watched.counts(pid=logged) == {("getppid", "log", ""): 3}
        assert "audit lines are read instead" in watched.errors
        assert watched.events[0].source == "audit"
