"""The ptrace back end records the same as eBPF in the same start, without privileges."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from seclatch.model.recording.recording import Recording
from seclatch.recording.files import recording_file
from tests.conftest import Compiler
from tests.latch.oci import SCRIPTS, Bundle, Runtime, case, status, wait_until
from tests.record.conftest import Record, Recorded
from tests.record.straced import STRACE, Log
from tests.record.test_counts import SHELL, allow_most

pytestmark = pytest.mark.root
MakeBundle = Callable[..., Bundle]
SECLATCH = str(SCRIPTS / "seclatch")

Key = tuple[int, str, str, str, int]


def made(recording: Recording) -> Counter[Key]:
    """Count by pid, stage, ABI, name and (for denied calls, else -1) errno."""
    pids = {each.id: each.pid for each in recording.processes}
    total: Counter[Key] = Counter()
    for each in recording.calls:
        total[pids[each.process], each.stage, each.arch, each.name, -1] += each.count
    for denial in recording.denials:
        key = (pids[denial.process], denial.stage, denial.arch, denial.name, denial.errno)
        total[key] += denial.count
    return total


def arguments(recording: Recording, stages: set[str]) -> Counter[tuple[str, str, int, int]]:
    total: Counter[tuple[str, str, int, int]] = Counter()
    for each in recording.arguments:
        if each.stage in stages:
            total[each.stage, each.name, each.index, each.value] += each.count
    return total


@pytest.fixture
def both(record: Record, tmp_path: Path) -> Callable[..., tuple[Recording, Recorded]]:
    """Provide both(WORDS): run a ptrace recorder under an eBPF one; return both results."""

    def run(words: list[Any], *, check: bool = True) -> tuple[Recording, Recorded]:
        inner = tmp_path / "ptrace.json"
        tracer = [SECLATCH, "record", "-q", "--backend", "ptrace", "-o", inner, "--"]
        outer = record([*tracer, *words], options=("--backend", "ebpf"), check=check)
        recording = recording_file.read_recording(inner)
        assert recording.complete
        assert not any((recording.lost.calls, recording.lost.processes, recording.lost.arguments))
        return recording, outer

    return run


KILLED_IN_A_STOP = 2
# Their counts vary with the scheduling of threads, under strace too.
RACY = (
    "futex",
    "pause",
    "rt_sigprocmask",
    "wait4",
    "vfork",
    "munmap",
    "madvise",
    "restart_syscall",
)

Both = Callable[..., tuple[Recording, Recorded]]


def assert_equal(inner: Recording, outer: Recording, *, by_stage: bool = True) -> None:
    """Compare counts of processes that both know; the outer one also has the inner recorder."""
    pids = {each.pid for each in inner.processes}
    ours, theirs = made(inner), Counter()
    for key, count in made(outer).items():
        if key[0] in pids:
            theirs[key] += count
    first = inner.processes[0].pid
    for total in (ours, theirs):  # calls of the child before its exec are not the command's
        for key in [key for key in total if key[0] == first and not by_stage]:
            del total[key]
    assert len(ours) > 5
    assert theirs - ours == Counter()
    # A thread killed while it stops at a call's entry for its tracer has not executed the call.
    surplus = ours - theirs
    assert surplus.total() <= KILLED_IN_A_STOP, surplus


@pytest.mark.parametrize(
    "words",
    [
        ["sh", "-c", SHELL],
        ["sh", "-c", "echo 'int main(void){return 0;}' > $0.c && gcc -o $0 $0.c && $0"],
        ["sh", "-c", "$1 /bin/true"],
        ["sh", "-c", "$2 /bin/true"],
        ["sh", "-c", f"{sys.executable} -c '{{}}'"],
        ["sh", "-c", "i=0; while [ $i -lt 50 ]; do /bin/true; i=$((i+1)); done"],
    ],
    ids=["shell", "gcc", "nonleader exec", "vfork", "threads", "many"],
)
def test_it_records_the_same_as_ebpf(
    both: Both, compiler: Compiler, tmp_path: Path, words: list[str]
) -> None:
    threads = "import threading as t; [t.Thread(target=print).start() for _ in range(9)]"
    words = [*words[:2], words[2].replace("{}", threads)]
    # the first calls of the command's own process are the recorder's, so compare what it starts
    words = ["sh", "-c", '"$@"; exit', "sh", *words]
    inner, outer = both([*words, tmp_path / "a", compiler("nonleader_exec"), compiler("vforks")])
    assert_equal(inner, outer.recording, by_stage=False)
    assert len(inner.processes) > 1
    programs = [image.argv for each in inner.processes for image in each.images]
    theirs = [image.argv for each in outer.recording.processes for image in each.images]
    assert [words for words in theirs if words in programs] == programs


def test_a_container_s_start(
    both: Both, plain: Runtime, bundle: MakeBundle, no_new_privileges: bool
) -> None:
    made_of = bundle(
        ["/bin/sh", "-c", "/bin/true; exec /bin/true"],
        seccomp=allow_most(),
        no_new_privileges=no_new_privileges,
    )
    inner, outer = both(
        ["sh", "-c", '"$@"; exit', "sh", *plain.argv("run", "--bundle", made_of.path, made_of.id)]
    )
    assert_equal(inner, outer.recording, by_stage=False)
    stages = {"init", "filtered-init", "program"}
    assert {each.stage for each in inner.calls} >= stages
    assert arguments(inner, stages) == arguments(outer.recording, stages)
    [container], [other] = inner.containers, outer.recording.containers
    assert (container.name, container.mount_namespace) == (other.name, other.mount_namespace)
    kept = [each for each in inner.contexts if each.filters]
    theirs = [each for each in outer.recording.contexts if each.filters]
    assert kept == theirs


def test_a_failing_start(both: Both, plain: Runtime, bundle: MakeBundle) -> None:
    made_of = bundle(["/bin/true"], seccomp=case("stali-like"))
    words = plain.argv("run", "--bundle", made_of.path, made_of.id)
    inner, outer = both(["sh", "-c", '"$@"; exit', "sh", *words], check=False)
    plain("delete", "--force", made_of.id)
    theirs = {(each.stage, each.name, each.errno) for each in outer.recording.denials}
    assert theirs
    assert {(each.stage, each.name, each.errno) for each in inner.denials} == theirs


@pytest.mark.parametrize(
    "words",
    [
        ["sh", "-c", "$0 /bin/true", "nonleader_exec"],
        ["sh", "-c", "$0 /bin/true", "vforks"],
        ["sh", "-c", "/bin/true; /bin/true; exec /bin/true", ""],
    ],
    ids=["nonleader exec", "vfork", "shell"],
)
def test_counts_are_those_of_strace(
    record: Record, compiler: Compiler, tmp_path: Path, words: list[str]
) -> None:
    """Compare with another run: a process has one tracer."""
    words = [*words[:3], str(compiler(words[3])) if words[3] else ""]
    log = tmp_path / "log"
    subprocess.run([*STRACE, "-o", str(log), *words], check=True, stdin=subprocess.DEVNULL)
    strace: Counter[str] = Counter()
    for counts in Log(log, all_program=True).counts.values():
        strace += counts
    done = record(words, options=("--backend", "ptrace"))
    # strace sees the exec that starts the command; in the recording its entry is the recorder's
    ours = Counter(done.calls("program")) + Counter({"execve": 1})
    for name in RACY if words[3] else ():
        del ours[name], strace[name]
    assert ours == strace


@pytest.mark.parametrize(
    ("words", "errno", "count"),
    [
        (["errno"], 7, 3),
        (["trap"], 0, 3),
        (["kill"], 0, 1),
        (["errno", "tsync"], 7, 3),
        (["trap", "tsync"], 0, 3),
        (["errno", "thread"], 7, 3),
        (["kill_thread", "thread"], 0, 1),
        (["kill_thread", "tsync"], 0, 1),
        (["kill_thread"], 0, 1),
        (["kill", "thread"], 0, 1),
    ],
)
@pytest.mark.parametrize("privileged", [True, False], ids=["root", "nobody"])
def test_denials(
    compiler: Compiler,
    open_folder: Path,
    words: list[str],
    errno: int,
    count: int,
    privileged: bool,
) -> None:
    """Decided by the very filter, also where the kernel does not return it."""
    program = shutil.copy(compiler("denials"), open_folder)
    prefix = () if privileged else NOBODY
    done, recording = run(open_folder, [program, *words], prefix=prefix)
    assert "Traceback" not in done.stderr
    denied = {(each.stage, each.name, each.errno, each.count) for each in recording.denials}
    assert denied == {("program", "getppid", errno, count)}
    result = [each for each in recording.events if each.kind == "denial"]
    assert [(each.call, each.errno) for each in result] == [("getppid", errno)]
    assert "getppid" not in {each.name for each in recording.calls}
    filters = [each.filters for each in recording.events if each.kind == "filter"]
    assert filters == [1] * (2 if "tsync" in words else 1)


@pytest.mark.parametrize("result", [True, False], ids=["counted", "probed"])
@pytest.mark.parametrize("privileged", [True, False], ids=["root", "nobody"])
def test_each_of_several_filters_is_the_one_that_was_loaded(
    compiler: Compiler, open_folder: Path, privileged: bool, result: bool
) -> None:
    """The kernel's copies are numbered from the oldest; Linux before 5.9 has no count of them."""
    program = shutil.copy(compiler("filters_in_turn"), open_folder)
    path = open_folder / "x.json"
    silent = "" if result else "stopped_thread.count_filters = lambda *_: 0; "
    script = (
        f"from seclatch.recording.backends.ptrace import stopped_thread; {silent}"
        "from seclatch.cli import main; main.main()"
    )
    words = ["record", "--backend", "ptrace", "-o", str(path), "--", program, "3"]
    subprocess.run(
        [*(() if privileged else NOBODY), sys.executable, "-c", script, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=True,
    )
    recording = recording_file.read_recording(path)
    denied = {(each.name, each.errno, each.count) for each in recording.denials}
    assert denied == {("getppid", 1, 3), ("getpgid", 2, 2), ("getuid", 3, 1)}
    calls = {each.name: each.count for each in recording.calls}
    assert [calls.get(name, 0) for name in ("getppid", "getpgid", "getuid")] == [0, 1, 2]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Make a directory for every user; pytest closes its own to others, again and again."""
    with tempfile.TemporaryDirectory(prefix="seclatch-ptrace-") as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


NOBODY = (
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
    "--bounding-set=-all",
    "--inh-caps=-all",
)


def run(
    folder: Path,
    words: list[str],
    *options: str,
    prefix: tuple[str, ...] = (),
    backend: str = "ptrace",
) -> tuple[subprocess.CompletedProcess[str], Recording]:
    path = folder / "x.json"
    done = subprocess.run(
        [*prefix, SECLATCH, "record", "--backend", backend, "-o", path, *options, "--", *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | {"HOME": str(folder)},
    )
    assert path.exists(), done.stderr
    return done, recording_file.read_recording(path)


def test_without_privilege_it_is_chosen_and_reported(open_folder: Path) -> None:
    words = ["sh", "-c", "id -u; /bin/true; exit 7"]
    done, recording = run(open_folder, words, prefix=NOBODY, backend="auto")
    assert (done.returncode, done.stdout) == (7, "65534\n")
    assert "recording with ptrace" in done.stderr
    assert "Operation not permitted" in done.stderr
    assert [each.images[-1].exe for each in recording.processes if each.images][-1] == "/bin/true"


def test_an_unreadable_directory_is_not_written_to(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    words = [*NOBODY, SECLATCH, "record", "-o", tmp_path / "sub/x.json", "--", "true"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 125
    assert "no permission to look there" in done.stderr


def test_a_daemon_s_container_is_not_half_recorded(tmp_path: Path) -> None:
    done = subprocess.run(
        [*NOBODY, SECLATCH, "record", "-o", "/dev/shm/x.json", "--", "docker", "run", "x"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 125
    assert "CAP_BPF and CAP_PERFMON" in done.stderr


@pytest.mark.skipif("platform.machine() != 'x86_64'", reason="int 0x80 is of x86")
def test_compat_calls(record: Record, compiler: Compiler) -> None:
    done = record([compiler("compat_calls")], options=("--backend", "ptrace"))
    compat = [each for each in done.recording.calls if each.arch == "x86"]
    assert [(each.name, each.number, each.count) for each in compat] == [("getpid", 20, 7)]


@pytest.mark.parametrize(
    ("script", "code"), [("exit 7", 7), ("kill -TERM $$", 128 + 15), ("kill -9 $$", 128 + 9)]
)
def test_the_status_is_the_command_s(record: Record, script: str, code: int) -> None:
    done = record(["sh", "-c", script], options=("--backend", "ptrace"), check=False)
    assert done.done.returncode == code


def test_a_script_without_an_interpreter(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("\0")
    script.chmod(0o755)
    done = subprocess.run(
        [SECLATCH, "record", "--backend", "ptrace", "-o", tmp_path / "x.json", "--", script],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 126
    assert "Exec format error" in done.stderr


def test_it_detaches_after_the_seconds(open_folder: Path) -> None:
    script = "sleep 1; grep TracerPid /proc/self/status; mkdir /proc/x; exit 5"
    done, recording = run(open_folder, ["sh", "-c", script], "--seconds", "0.3")
    assert (done.returncode, done.stdout.split()) == (5, ["TracerPid:", "0"])
    assert "mkdir" not in {each.name for each in recording.calls}
    assert recording.complete


def test_stop_and_continue_work(tmp_path: Path) -> None:
    """A group-stop is reported to the parent too, and SIGCONT ends it."""
    pid = tmp_path / "pid"
    words = [
        SECLATCH,
        "record",
        "-q",
        "--backend",
        "ptrace",
        "-o",
        tmp_path / "x.json",
        "--",
        "sh",
        "-c",
        f"echo $$ > {pid}; while :; do read line || exit 4; done",
    ]
    with subprocess.Popen(words, stdin=subprocess.PIPE) as process:
        wait_until(lambda: pid.exists() and pid.read_text(), "the command")
        number = int(pid.read_text())
        os.kill(number, signal.SIGSTOP)
        wait_until(lambda: status(number)["State"][0] in "tT", "it to stop")
        time.sleep(0.1)
        assert process.poll() is None
        os.kill(number, signal.SIGCONT)
        assert process.stdin
        process.stdin.close()
        assert process.wait(60) == 4


def test_the_command_survives_the_recorder(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    words = [
        SECLATCH,
        "record",
        "-q",
        "--backend",
        "ptrace",
        "-o",
        tmp_path / "x.json",
        "--",
        "sh",
        "-c",
        f"echo $$ > {pid}; exec sleep 100",
    ]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL) as process:
        wait_until(lambda: pid.exists() and pid.read_text(), "the command")
        number = int(pid.read_text())
        wait_until(lambda: status(number)["Name"] == "sleep", "its exec")
        process.kill()
        process.wait()
    assert status(number)["TracerPid"] == "0"
    os.kill(number, signal.SIGKILL)


@pytest.mark.parametrize("call", ["nanosleep", "futex", "epoll_wait", "spin"])
def test_unrecorded_processes_are_undisturbed(
    call: str, compiler: Compiler, tmp_path: Path
) -> None:
    """Its filter kills for restart_syscall, by which an interrupted sleep is continued."""
    words = [
        SECLATCH,
        "record",
        "-q",
        "--backend",
        "ptrace",
        "--seconds",
        "0.5",
        "-o",
        tmp_path / "x.json",
        "--",
        compiler("sleeper"),
        call,
    ]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    _, last = done.stdout.splitlines()
    expected = "-1 Connection timed out" if call == "futex" else "0 Success"
    assert last.rpartition(" ")[0] == expected
