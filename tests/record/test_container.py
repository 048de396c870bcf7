"""`seclatch record --container` without an engine; a recorder leaves nothing behind."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from seclatch.model.action import EPERM
from seclatch.model.arch import Arch
from seclatch.model.recording.recording import Recording
from seclatch.model.syscall import load_syscalls
from seclatch.recording.files import recording_file
from seclatch.system import bpf
from tests.conftest import Compiler
from tests.latch.oci import SCRIPTS, Bundle, Runtime, created, running, wait_until
from tests.record.conftest import Record
from tests.record.straced import PROGRAM, STRACE, Log, differences

pytestmark = pytest.mark.root
SECLATCH = str(SCRIPTS / "seclatch")
FILTER = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO"}],
}
MakeBundle = Callable[..., Bundle]


@contextmanager
def recording(path: Path, word: int | str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the recorder; once it has found the processes, it writes the file on request."""
    process = subprocess.Popen([SECLATCH, "record", "-q", "--container", str(word), "-o", path])
    try:
        wait_until(lambda: attached(process.pid), "the recorder to be attached")
        process.send_signal(signal.SIGUSR1)
        wait_until(path.exists, "the recording so far")
        assert not recording_file.read_recording(path).complete
        yield process
    finally:
        process.kill()
        process.wait()


def attached(recorder: int) -> dict[str, set[int]]:
    """Return ids of BPF programs and maps of a process, once all five programs are attached."""
    held: dict[str, set[int]] = {"prog_id": set(), "map_id": set(), "link_id": set()}
    for file in Path(f"/proc/{recorder}/fdinfo").iterdir():
        try:
            lines = [line.split() for line in file.read_text().splitlines()]
        except OSError:
            continue
        for words in lines:
            name = words[0].rstrip(":") if words else ""
            if name in held:
                held[name].add(int(words[1]))
    return held if len(held["link_id"]) == 5 else {}


def left(held: dict[str, set[int]]) -> list[str]:
    present = {"prog_id": bpf.programs(), "map_id": bpf.maps()}
    return [f"{kind} {each}" for kind in present for each in held[kind] & present[kind]]


def finished(process: subprocess.Popen[bytes], path: Path) -> Recording:
    assert process.wait(60) == 0
    found = recording_file.read_recording(path)
    assert found.complete
    assert found.lost.events == found.lost.calls == found.lost.processes == 0
    return found


def calls_so_far(recorder: subprocess.Popen[bytes], path: Path) -> set[str]:
    """Return the calls in the file, which is written again for the next look."""
    found = set(program_calls(recording_file.read_recording(path)))
    recorder.send_signal(signal.SIGUSR1)
    return found


def program_calls(recording: Recording) -> dict[str, int]:
    total: dict[str, int] = {}
    for each in recording.calls:
        if each.stage == "program":
            total[each.name] = total.get(each.name, 0) + each.count
    return total


@pytest.mark.parametrize("seccomp", [None, FILTER], ids=["free", "filtered"])
def test_a_container_that_waits_for_its_start(
    plain: Runtime, bundle: MakeBundle, record: Record, tmp_path: Path, seccomp: object
) -> None:
    args = ["/bin/sh", "-c", "mkdir /proc/x; /bin/true; exit 0"]
    whole = record(plain.argv("run", "--bundle", (b := bundle(args, seccomp=seccomp)).path, b.id))
    again = bundle(args, seccomp=seccomp)
    path = tmp_path / "x.json"
    with created(plain, again) as pid, recording(path, pid) as recorder:
        assert plain("start", again.id).returncode == 0
        found = finished(recorder, path)
    assert program_calls(found) == whole.calls("program")
    assert {(d.stage, d.name, d.count) for d in found.denials} == {
        (stage, name, count) for stage, name, _, count in whole.denied()
    }
    first = found.processes[0]
    assert first.found_running
    assert {each.stage for each in found.calls} <= {"init", "filtered-init", "program"}
    assert [each.joined for each in found.sessions] == [False]


def test_a_container_by_its_id_or_a_prefix_of_it(
    plain: Runtime, bundle: MakeBundle, tmp_path: Path
) -> None:
    made = [bundle(["/bin/sleep", "100"], seccomp=None) for _ in range(2)]
    made[0].id, made[1].id = f"{made[0].id}-x", f"{made[0].id}-x-y"
    path = tmp_path / "x.json"
    with created(plain, made[0]) as pid, created(plain, made[1]) as other:
        for word, meant in ((made[0].id, pid), (made[1].id[:-1], other)):
            with recording(path, word) as recorder:
                recorder.send_signal(signal.SIGINT)
                assert [each.pid for each in finished(recorder, path).processes] == [meant]
            path.unlink()
        words = [SECLATCH, "record", "--container", made[0].id[:-1], "-o", path]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, path.exists()) == (2, False)
    assert f"{made[0].id}, {made[1].id}" in done.stderr


def test_running_threads(
    plain: Runtime, bundle: MakeBundle, compiler: Compiler, tmp_path: Path, rootfs: Path
) -> None:
    shutil.copy(compiler("thread_calls"), rootfs / "bin/thread_calls")
    b = bundle(["/bin/thread_calls"], seccomp=None)
    path = tmp_path / "x.json"
    with running(plain, b) as pid:
        threads = Path(f"/proc/{pid}/task")
        wait_until(lambda: len(list(threads.iterdir())) == 4, "four threads")
        with recording(path, pid) as recorder:
            calls = {"getppid", "getuid", "getegid", "gettid"}
            wait_until(lambda: calls <= calls_so_far(recorder, path), "each thread's call")
            recorder.send_signal(signal.SIGINT)
            found = finished(recorder, path)
    assert calls <= set(program_calls(found))
    assert len(found.processes) == 1


def test_children_of_a_running_program(plain: Runtime, bundle: MakeBundle, tmp_path: Path) -> None:
    b = bundle(["/bin/sh", "-c", "/bin/sleep 100 & /bin/sleep 100 & wait"], seccomp=None)
    path = tmp_path / "x.json"
    with running(plain, b) as pid:
        children = Path(f"/proc/{pid}/task/{pid}/children")
        wait_until(lambda: len(children.read_text().split()) == 2, "two children")
        sleeping = children.read_text().split()
        with recording(path, pid) as recorder:
            for each in sleeping:
                os.kill(int(each), signal.SIGKILL)
            found = finished(recorder, path)
    shown = subprocess.run(
        [SECLATCH, "show", "--by", "process", path], capture_output=True, check=False
    )
    assert (shown.returncode, b"sleep" in shown.stdout) == (0, True), shown.stderr
    assert [each.parent for each in found.processes] == [None, 0, 0]
    assert all(each.found_running and each.ended for each in found.processes)
    assert [each.status for each in found.processes] == [0, signal.SIGKILL, signal.SIGKILL]


@pytest.mark.parametrize("seccomp", [None, FILTER], ids=["free", "filtered"])
def test_counts_from_attaching_on_equal_strace_s(
    plain: Runtime, bundle: MakeBundle, tmp_path: Path, rootfs: Path, seccomp: object
) -> None:
    fifo = rootfs / f"go-{tmp_path.name}"
    os.mkfifo(fifo)
    steps = "mkdir /proc/x; (/bin/true; mkdir /proc/y) & /bin/true; wait; exit 0"
    b = bundle(["/bin/sh", "-c", f"read x < /{fifo.name}; {steps}"], seccomp=seccomp)
    path, log = tmp_path / "x.json", tmp_path / "log"
    with running(plain, b) as pid:
        wait_until(lambda: "openat" in syscall_of(pid), "the shell to wait")
        strace = subprocess.Popen([*STRACE, "-p", str(pid), "-o", log])
        try:
            status = Path(f"/proc/{pid}/status")
            wait_until(lambda: f"TracerPid:\t{strace.pid}\n" in status.read_text(), "strace")
            with recording(path, pid) as recorder:
                fifo.write_text("x\n")
                found = finished(recorder, path)
            assert strace.wait(60) == 0
        finally:
            strace.kill()
            strace.wait()
            fifo.unlink()
    seen = Log(log, all_program=True)
    assert len(seen.counts) == len(found.processes) >= 5
    # strace counts the call in which it found the shell
    waiting = {(pid, PROGRAM): ({"openat": 1}, {})}
    assert differences(seen, found) in ({}, waiting)
    assert sum(each.count for each in found.denials) == (2 if seccomp else 0)


def test_the_first_denial_after_it_was_found(
    plain: Runtime, bundle: MakeBundle, compiler: Compiler, tmp_path: Path, rootfs: Path
) -> None:
    shutil.copy(compiler("waiting_denied"), rootfs / "bin/waiting_denied")
    go = rootfs / f"go-{tmp_path.name}"
    go.write_bytes(b"\0")
    b = bundle(["/bin/waiting_denied", f"/{go.name}"], seccomp=FILTER)
    path = tmp_path / "x.json"
    with running(plain, b) as pid:
        wait_until(lambda: syscall_of(pid) == "" and is_at_work(pid), "the program to spin")
        with recording(path, pid) as recorder:
            with go.open("r+b") as file:
                file.write(b"\1")
            found = finished(recorder, path)
    denied = [(each.stage, each.name, each.errno, each.count) for each in found.denials]
    assert denied == [("program", "mkdir", EPERM, 1)]


def is_at_work(pid: int) -> bool:
    """Return whether it has used CPU time in user mode, issuing no calls meanwhile."""
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11]
    return int(ticks) > 3


def test_an_exec_session_with_its_runtime_equals_strace_s_counts(
    plain: Runtime, bundle: MakeBundle, tmp_path: Path
) -> None:
    b = bundle(["/bin/sleep", "100"], seccomp=FILTER)
    path, log = tmp_path / "x.json", tmp_path / "log"
    bystander = ["/bin/sh", "-c", "sleep 100; exit $0", b.id]
    with running(plain, b) as pid, recording(path, b.id) as recorder:
        subprocess.run(["/bin/true", b.id], check=True)
        other = subprocess.Popen(bystander)
        try:
            session = plain.argv("exec", b.id, "/bin/sh", "-c", "/bin/true; mkdir /proc/x")
            done = subprocess.run([*STRACE, "-o", log, *session], check=False)
            assert done.returncode == 1
            os.kill(pid, signal.SIGKILL)
            found = finished(recorder, path)  # the other one continues
        finally:
            other.kill()
            other.wait()
    assert differences(Log(log), found) == {}
    ran = {tuple(image.argv) for each in found.processes for image in each.images}
    assert tuple(bystander) not in ran
    assert ("/bin/true", b.id) not in ran
    assert found.runtimes == [plain.name]
    assert [each.joined for each in found.sessions] == [False, True]
    stages = {each.stage for each in found.calls}
    assert stages == {"client", "runtime", "init", "filtered-init", "program"}


def syscall_of(pid: int) -> str:
    """Return the call in which a process waits."""
    number = Path(f"/proc/{pid}/syscall").read_text().split()[0]
    return load_syscalls(Arch.native()).at(int(number)).name if number.isdigit() else ""


def test_a_fork_while_it_is_being_found_is_no_session(
    plain: Runtime, bundle: MakeBundle, tmp_path: Path
) -> None:
    loop = "while :; do /bin/true & /bin/true; done"
    b = bundle(["/bin/sh", "-c", loop], seccomp=None)
    path = tmp_path / "x.json"
    with running(plain, b) as pid:
        for _ in range(4):
            words = ["record", "-q", "--container", str(pid), "--seconds", "0.3", "-o", path]
            subprocess.run([SECLATCH, *words], check=True)
            found = recording_file.read_recording(path)
            assert {each.stage for each in found.calls} == {"program"}
            assert [each.joined for each in found.sessions] == [False]


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_nothing_of_the_recorder_is_left(
    plain: Runtime, bundle: MakeBundle, tmp_path: Path, end: signal.Signals
) -> None:
    b = bundle(["/bin/sleep", "100"], seccomp=None)
    with running(plain, b) as pid, recording(tmp_path / "x.json", pid) as recorder:
        held = attached(recorder.pid)
        assert len(held["prog_id"]) > 5 or len(left(held)) > 5
        recorder.send_signal(end)
        recorder.wait(60)
        wait_until(lambda: not left(held), "the kernel to let go of programs and maps")


def test_progress_on_a_terminal(plain: Runtime, bundle: MakeBundle, tmp_path: Path) -> None:
    b = bundle(["/bin/sh", "-c", "while :; do /bin/sleep 0.1; done"], seccomp=None)
    path = tmp_path / "x.json"
    terminal, its_end = os.openpty()
    with running(plain, b) as pid:
        words = [SECLATCH, "record", "--container", str(pid), "--seconds", "2.5", "-o", str(path)]
        done = subprocess.run(words, stderr=its_end, stdout=subprocess.PIPE, check=True)
    os.close(its_end)
    message = os.read(terminal, 1 << 16).decode()
    os.close(terminal)
    assert done.stdout == b""
    assert re.search(r"\r\x1b\[Kseclatch: \d s, [\d,]+ calls of \d+ processes", message)
    assert message.rstrip().endswith(f"in {path}")
