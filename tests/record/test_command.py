"""`seclatch record` as a user runs it: status, signals, time, errors, interrupted recordings."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jsonschema
import msgspec
import pytest

from seclatch.recording import record_command
from seclatch.recording.files import recording_file
from seclatch.recording.recorder import RecordOptions
from seclatch.report.recording_progress import describe_recording
from tests.conftest import Compiler
from tests.latch.oci import SCRIPTS, pids_cgroup, wait_until
from tests.record.conftest import Record
from tests.record.test_container import attached, left

pytestmark = pytest.mark.root
SECLATCH = str(SCRIPTS / "seclatch")


def run(
    *words: str | Path, cwd: Path | None = None, prefix: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    command = [*prefix, SECLATCH, "record", *map(str, words)]
    return subprocess.run(
        command,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@contextmanager
def started(path: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([SECLATCH, "record", "-q", "-o", path, "--", *words])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("script", "status"), [("exit 7", 7), ("kill -TERM $$", 128 + 15), ("kill -9 $$", 128 + 9)]
)
def test_the_status_is_the_command_s(record: Record, script: str, status: int) -> None:
    done = record(["sh", "-c", script], check=False)
    assert done.done.returncode == status


def test_a_stream_receives_one_recording() -> None:
    """Files are written again every few seconds, in case the recorder is killed."""
    done = run("-o", "/dev/stdout", "--", "sleep", "5.5")
    assert recording_file.decode_recording("stdout", done.stdout.encode()).complete


def test_output_that_rename_cannot_replace_is_refused_before_the_start(tmp_path: Path) -> None:
    (tmp_path / "link.json").symlink_to("nowhere/x.json")
    done = run("-o", tmp_path / "link.json", "--", "touch", tmp_path / "ran")
    assert (done.returncode, (tmp_path / "ran").exists()) == (125, False)
    assert f"it is a link to {tmp_path}/nowhere/x.json" in done.stderr


@pytest.mark.parametrize("backend", ["ebpf", "ptrace"])
def test_ignored_sigchld_is_inherited_and_the_status_returned(backend: str, tmp_path: Path) -> None:
    """Ignored SIGCHLD is inherited, and stays ignored for the command."""
    ignoring = "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN)"
    prefix = (sys.executable, "-c", f"{ignoring}; os.execv(sys.argv[1], sys.argv[1:])")
    script = (
        "import signal, sys; sys.exit(7 + (signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN))"
    )
    words = ("--backend", backend, "-o", tmp_path / "x.json", "--", sys.executable, "-c", script)
    done = run(*words, prefix=prefix)
    assert done.returncode == 8, done.stderr
    assert recording_file.read_recording(tmp_path / "x.json").complete


def test_output_and_summary_go_to_different_streams(tmp_path: Path) -> None:
    done = run("-o", tmp_path / "x.json", "--", "echo", "hello")
    assert done.stdout == "hello\n"
    assert done.stderr.startswith("seclatch: recorded ")
    assert str(tmp_path / "x.json") in done.stderr


def test_default_files_are_never_replaced(tmp_path: Path) -> None:
    for _ in range(2):
        assert run("-q", "--", "/bin/true", cwd=tmp_path).returncode == 0
    names = sorted(each.name for each in tmp_path.iterdir())
    assert names == ["true-2.recording.json", "true.recording.json"]


@pytest.mark.parametrize(
    ("word", "status", "reason"),
    [("/nowhere/at/all", 127, "not found"), ("/etc/passwd", 126, "not executable")],
)
def test_a_command_that_does_not_exist(tmp_path: Path, word: str, status: int, reason: str) -> None:
    done = run("--", word, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (status, "")
    assert reason in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_invalid_time(tmp_path: Path) -> None:
    done = run("--seconds", "nan", "--", "/bin/true", cwd=tmp_path)
    assert (done.returncode, list(tmp_path.iterdir())) == (2, [])


def test_without_a_free_process_it_reports_the_limit(tmp_path: Path) -> None:
    with pids_cgroup("record", "1") as group:
        enter = ("sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh")
        done = run("--", "/bin/true", cwd=tmp_path, prefix=enter)
    assert (done.returncode, list(tmp_path.iterdir())) == (125, [])
    assert "pids.max" in done.stderr


SPEAKER = """
import os, socket, sys, time
client = socket.socket(socket.AF_UNIX)
client.connect(sys.argv[1])
os.write(client.fileno(), b"GET /_ping HTTP/1.1")
time.sleep(0.5)
sys.exit(7)
"""


def test_without_a_free_thread_socket_peers_are_unknown(tmp_path: Path) -> None:
    """Beside an engine, with a command that connects to a socket: the recording goes on."""
    program, path = shutil.copy("/bin/sleep", tmp_path / "containerd"), tmp_path / "x.json"
    with (
        pids_cgroup("record", "2") as group,
        socket.socket(socket.AF_UNIX) as service,
        subprocess.Popen([program, "60"]) as engine,
    ):
        service.bind(str(tmp_path / "socket"))
        service.listen()
        wait_until(lambda: os.path.samefile(f"/proc/{engine.pid}/exe", program), "its exec")  # noqa: PTH121
        enter = ("sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh")
        speaker = (sys.executable, "-c", SPEAKER, service.getsockname())
        done = run("-o", path, "--", *speaker, cwd=tmp_path, prefix=enter)
        engine.kill()
    assert done.returncode == 7, done.stderr
    assert recording_file.read_recording(path).complete


def test_an_unwritable_output_is_reported_before_the_start(tmp_path: Path) -> None:
    done = run("-o", tmp_path / "nowhere" / "x.json", "--", "touch", tmp_path / "ran")
    assert done.returncode == 125
    assert "no such directory" in done.stderr
    assert not (tmp_path / "ran").exists()


def test_it_prints_why_it_continues(tmp_path: Path) -> None:
    done = run("-o", tmp_path / "x.json", "--", "sh", "-c", "sleep 3 &")
    assert done.returncode == 0
    assert "the processes that it started are still recorded" in done.stderr


@pytest.mark.parametrize(
    ("words", "result"),
    [
        (("podman", "--remote", "run", "x"), True),
        (("podman", "--url=tcp://x:1", "start", "x"), True),
        (("podman", "--remote", "ps"), False),
        (("podman", "run", "-c", "512", "x"), False),
        (("docker", "exec", "x", "y"), True),
        (("docker", "ps"), False),
    ],
    ids=str,
)
def test_a_recording_of_a_client_alone_warns(
    words: tuple[str, ...], result: bool, tmp_path: Path
) -> None:
    program = shutil.copy("/bin/true", tmp_path / words[0])
    done = run("-o", tmp_path / "x.json", "--", program, *words[1:])
    assert done.returncode == 0
    assert (f"{words[0]} asked an engine" in done.stderr) == result


def test_a_script_without_an_interpreter(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("\0")
    script.chmod(0o755)
    done = run("--", script, cwd=tmp_path)
    assert done.returncode == 126
    assert "Exec format error" in done.stderr


def test_follow_prints_each_call_once(tmp_path: Path) -> None:
    done = run("--follow", "-o", tmp_path / "x.json", "--", "sh", "-c", "sleep 1; mkdir /proc/x")
    lines = [line.removeprefix("seclatch: ").split() for line in done.stderr.splitlines()]
    result = [line[:2] for line in lines[:-1]]
    assert ["program", "execve"] in result
    assert result.count(["program", "mkdir"]) == 1
    assert len({tuple(words) for words in result}) == len(result)
    [who] = [line[2] for line in lines if line[:2] == ["program", "mkdir"]]
    assert re.fullmatch(r"(mkdir|dash|sh)\[\d+\]", who)


@pytest.mark.parametrize("options", [[], ["--follow"], ["--backend", "ptrace", "--follow"]])
def test_a_closed_pipe_of_follow_does_not_end_the_recording(
    options: list[str], tmp_path: Path
) -> None:
    words = [SECLATCH, "record", *options, "-o", tmp_path / "x.json", "--"]
    script = "sleep 0.5; mkdir /proc/x 2>/dev/null; sleep 0.5; exit 7"
    with subprocess.Popen([*words, "sh", "-c", script], stderr=subprocess.PIPE) as process:
        assert process.stderr
        process.stderr.close()
        assert process.wait(60) == 7
    recording = recording_file.read_recording(tmp_path / "x.json")
    assert recording.complete
    assert "mkdir" in {each.name for each in recording.calls}


def test_a_temporarily_full_disk(tmp_path: Path) -> None:
    """The command fills the disk, makes the recorder save, and frees it again."""
    small = tmp_path / "small"
    small.mkdir()
    ask = "kill -USR1 $PPID; sleep 0.5; kill -USR1 $PPID; sleep 0.5"
    script = f"cat /dev/zero > {small}/fill 2>/dev/null; {ask}; rm {small}/fill; exit 7"
    record = f'{SECLATCH} record -o {small}/x.json -- sh -c "$1"; status=$?'
    around = f"mount -t tmpfs -o size=1m none {small}; {record}; cp {small}/x.json {tmp_path}"
    words = ["unshare", "-m", "sh", "-c", f"{around}; exit $status", "sh", script]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 7, done.stderr
    assert done.stderr.count("No space left on device") == 1
    assert recording_file.read_recording(tmp_path / "x.json").complete


def test_the_recording_ends_after_the_seconds_and_the_command_does_not(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    script = "sleep 1; mkdir /proc/x; exit 5"
    done = run("--seconds", "0.3", "-o", path, "--", "sh", "-c", script)
    assert done.returncode == 5
    assert "mkdir" not in {each.name for each in recording_file.read_recording(path).calls}


def test_nothing_is_attached_once_the_recording_has_ended(tmp_path: Path) -> None:
    """Also while the recorder still waits for the command."""
    words = ("record", "-q", "--seconds", "0.5", "-o", tmp_path / "x.json", "--", "sleep", "100")
    recorder = subprocess.Popen([SECLATCH, *words])
    try:
        held = wait_until(lambda: attached(recorder.pid), "the recorder to be attached")
        programs = {"prog_id": held["prog_id"], "map_id": set[int]()}
        # All but the one by which a child registers itself, which is attached to no event.
        wait_until(lambda: len(left(programs)) == 1, "the kernel to let go of programs")
        assert not attached(recorder.pid)
        assert recorder.poll() is None
    finally:
        recorder.terminate()
        recorder.wait()


def test_a_signal_to_the_recorder_reaches_the_command(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    ready = tmp_path / "ready"
    script = f"trap 'exit 9' TERM; sleep 100 & touch {ready}; wait"
    words = [SECLATCH, "record", "-o", path, "--", "sh", "-c", script]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        try:
            wait_until(ready.exists, "the command to be ready")
            process.send_signal(signal.SIGTERM)
            # the background sleep continues, and so the recording: a second signal ends it
            assert process.stderr
            while "are still recorded" not in (line := process.stderr.readline()):
                assert line, "the recorder has ended"
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 9
        finally:
            process.kill()
    recording = recording_file.read_recording(path)
    for each in recording.processes:
        if each.ended is None:
            os.kill(each.pid, signal.SIGKILL)
    assert recording.complete


NAMELESS = r"printf '\377\376' > /proc/self/comm; echo ready; read line"


def test_a_program_like_an_engine_s_may_call_itself_anything(tmp_path: Path) -> None:
    """Any user may run one: its name is no text, and the recording goes on."""
    program, path, pipe = (
        shutil.copy("/bin/dash", tmp_path / "dockerd"),
        tmp_path / "x.json",
        subprocess.PIPE,
    )
    with subprocess.Popen([program, "-c", NAMELESS], stdin=pipe, stdout=pipe) as engine:
        assert engine.stdout and engine.stdout.readline() == b"ready\n"
        assert Path(f"/proc/{engine.pid}/comm").read_bytes() == b"\377\376\n"
        done = run("-o", path, "--", "sh", "-c", "exit 7")
        engine.kill()
    assert done.returncode == 7, done.stderr
    assert recording_file.read_recording(path).complete


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2])
def test_a_request_that_comes_too_late_does_not_end_it(tmp_path: Path, number: int) -> None:
    """At any moment of its end: the recording is written."""
    path, ended = tmp_path / "x.json", tmp_path / "ended"
    with started(path, "sh", "-c", f"touch {ended}; exit 7") as process:
        wait_until(ended.exists, "the command")
        while process.poll() is None:
            process.send_signal(number)
    assert process.returncode == 7
    assert recording_file.read_recording(path).complete


def test_the_recording_survives_the_recorder(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    with started(path, "sh", "-c", "mkdir /proc/x; exec sleep 100") as process:
        wait_until(path.exists, "the first part of the recording", seconds=30)
        process.kill()
        process.wait()
    recording = recording_file.read_recording(path)
    assert not recording.complete
    assert "mkdir" in {each.name for each in recording.calls}
    [sleep] = [each.pid for each in recording.processes if each.ended is None]
    os.kill(sleep, signal.SIGKILL)


def test_without_privilege_it_names_the_missing_ones(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    prefix = ("setpriv", "--bounding-set=-bpf,-perfmon,-sys_admin", "--inh-caps=-all")
    words = ("--backend", "ebpf", "-o", tmp_path / "x.json", "--", "/bin/true")
    done = run(*words, prefix=prefix)
    assert done.returncode == 125
    assert "CAP_BPF and CAP_PERFMON" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "x.json").exists()


def test_bpf_and_perfmon_are_enough(tmp_path: Path) -> None:
    keep = "--bounding-set=-all,+bpf,+perfmon,+dac_read_search,+dac_override"
    done = run("-o", tmp_path / "x.json", "--", "/bin/true", prefix=("setpriv", keep))
    assert done.returncode == 0, done.stderr


def test_a_kernel_without_btf_is_named(tmp_path: Path) -> None:
    hide = 'mount -t tmpfs none /sys/kernel/btf && mount -t tmpfs none /run && exec "$@"'
    prefix = ("unshare", "-m", "sh", "-c", hide, "sh")
    words = ("-o", tmp_path / "x.json", "--", "/bin/true")
    instead = run(*words, prefix=prefix)
    assert instead.returncode == 0
    assert "recording with ptrace" in instead.stderr
    assert "no type information" in instead.stderr
    done = run("--backend", "ebpf", *words, prefix=prefix)
    assert done.returncode == 125
    assert "CONFIG_DEBUG_INFO_BTF" in done.stderr


def test_within_a_pid_namespace(tmp_path: Path) -> None:
    prefix = ("unshare", "--pid", "--fork", "--mount-proc")
    path = tmp_path / "x.json"
    done = run("-o", path, "--", "sh", "-c", "/bin/true; /bin/true", prefix=prefix)
    assert done.returncode == 0, done.stderr
    recording = recording_file.read_recording(path)
    assert [each.images[-1].argv[0] for each in recording.processes] == [
        "sh",
        "/bin/true",
        "/bin/true",
    ]


def test_the_file_fits_its_published_schema(record: Record) -> None:
    done = record(["sh", "-c", "/bin/true"])
    document = json.loads(msgspec.json.encode(done.recording))
    jsonschema.validate(document, json.loads(recording_file.read_schema()))


def test_a_program_named_like_a_subcommand_is_recorded_behind_dashes(tmp_path: Path) -> None:
    program = tmp_path / "merge"
    program.write_text("#!/bin/sh\nexit 9\n")
    program.chmod(0o755)
    path = tmp_path / "x.json"
    words = ["env", f"PATH={tmp_path}:/usr/bin:/bin"]
    done = run("-o", path, "--", "merge", "x", prefix=tuple(words))
    assert done.returncode == 9, done.stderr
    assert recording_file.read_recording(path).commands == [["merge", "x"]]


@pytest.mark.parametrize("backend", ["ebpf", "ptrace"])
def test_a_recording_ended_by_a_limit_prints_what_it_left_running(backend: str) -> None:
    command = ("/bin/sh", "-c", "/bin/true; /bin/true; /bin/true; exec /bin/sleep 1")
    whole = record_command.record_command(command, RecordOptions(max_bulk=1000, backend=backend))[1]
    assert (len(whole.processes), whole.lost.processes) == (4, 0)
    cut = record_command.record_command(command, RecordOptions(max_bulk=4, backend=backend))[1]
    assert cut.complete
    assert cut.lost.processes > 0
    assert any("not everything" in line for line in describe_recording(cut, "x"))


@pytest.mark.parametrize("backend", ["ebpf", "ptrace"])
def test_a_recording_that_ends_itself_at_its_limit_leaves_nothing(backend: str) -> None:
    result: list[str] = []
    options = RecordOptions(max_bulk=2, backend=backend, notify=result.append)
    _, recording = record_command.record_command(("/bin/true",), options)
    left = recording.lost.processes  # a busy machine may check it before its end
    assert ("the recording ends at 2" in "".join(result)) == (left > 0)


@pytest.mark.parametrize("backend", ["ebpf", "ptrace"])
def test_a_limit_ends_a_process_that_execs_for_ever(backend: str, compiler: Compiler) -> None:
    """Each exec has counters of its own, which take memory; so does a fork before its exec."""
    result: list[str] = []
    options = RecordOptions(max_bulk=1000, backend=backend, notify=result.append)
    status, cut = record_command.record_command((str(compiler("again")), "4000"), options)
    assert status == 0
    assert 900 < sum(len(each.images) for each in cut.processes) < 4000
    assert cut.lost.processes == 1
    assert "ends at 1,000 processes and execs" in result[-1]


@pytest.mark.parametrize("backend", ["ebpf", "ptrace"])
def test_a_stopped_recorder_signals_nothing_to_the_command(backend: str, tmp_path: Path) -> None:
    """As by ctrl-Z and fg, or a suspended virtual machine."""
    words = [SECLATCH, "record", "-q", "--backend", backend, "-o", tmp_path / "x.json", "--"]
    script = "echo ready; read line; exit 7"
    with subprocess.Popen(
        [*map(str, words), "/bin/sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin and process.stdout and process.stdout.readline() == b"ready\n"
        for _ in range(10):
            process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, process.pid, os.WSTOPPED)
            time.sleep(0.05)
            process.send_signal(signal.SIGCONT)
            time.sleep(0.05)
        process.stdin.close()
        assert process.wait(60) == 7
