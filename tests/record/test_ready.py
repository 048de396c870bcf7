"""`record --ready`: a real server in two phases, for each condition and back end."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from seclatch.model.recording.recording import Recording
from seclatch.recording.files import recording_file
from tests.conftest import Compiler
from tests.latch.oci import SCRIPTS, wait_until

pytestmark = pytest.mark.root
SECLATCH = str(SCRIPTS / "seclatch")

# Made once the server was told to go on, and before it was ready.
RUNNING = {"chdir": (4, 3), "mkdir": (1, 0), "bind": (1, 0), "listen": (1, 0)}


@dataclass
class Recorder:
    """A running `seclatch record` of the server."""

    process: subprocess.Popen[str]
    folder: Path
    output: Path
    errors: Path

    def says(self) -> str:
        return self.errors.read_text()

    def finish(self) -> Recording:
        (self.folder / "go").touch()
        assert self.process.wait(60) == 0, self.says()
        return recording_file.read_recording(self.output)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def server(compiler: Compiler) -> Path:
    return compiler("two_phases")


def start(server: Path, tmp_path: Path, port: int, *options: str) -> Recorder:
    folder, output, errors = tmp_path / "server", tmp_path / "r.json", tmp_path / "errors"
    words = [SECLATCH, "record", "-o", output, *options, "--", server, str(port), folder]
    with errors.open("w") as log:
        process = subprocess.Popen(
            [*map(str, words)], stdin=subprocess.DEVNULL, stdout=log, stderr=log, text=True
        )
    return Recorder(process, folder, output, errors)


def counts(recording: Recording) -> dict[str, tuple[int, int]]:
    total: dict[str, tuple[int, int]] = {}
    for row in recording.calls:
        count, running = total.get(row.name, (0, 0))
        total[row.name] = count + row.count, running + row.running
    return total


def expect_phases(recording: Recording) -> None:
    made = counts(recording)
    assert {name: made.get(name) for name in RUNNING} == RUNNING
    accept = made.get("accept", (0, 0))
    assert accept == (1, 1), "a call that was not over at the mark"
    assert made["exit_group"] == (1, 1)


@pytest.mark.parametrize("backend", ["ebpf", "ptrace"])
@pytest.mark.parametrize("condition", ["listen", "listen:PORT", "accept", "notify", "CMD"])
def test_calls_are_counted_before_and_after(
    server: Path, tmp_path: Path, condition: str, backend: str
) -> None:
    """The same by both back ends; the program is at rest at its mark."""
    port = free_port()
    if condition == "CMD":
        condition = f"test -e {tmp_path}/now"
    options = ["--backend", backend, "--ready", condition.replace("PORT", str(port))]
    recorder = start(server, tmp_path, port, *options)
    wait_until(lambda: "Ready to accept" in recorder.says(), "the server", seconds=60)
    (tmp_path / "now").touch()
    wait_until(lambda: "the running phase begins" in recorder.says(), "a mark", seconds=60)
    recording = recorder.finish()
    assert recording.ready is not None
    assert recording.ready.condition == options[-1]
    expect_phases(recording)


@pytest.mark.parametrize("backend", ["ebpf", "ptrace"])
def test_a_line_of_its_output(server: Path, tmp_path: Path, backend: str) -> None:
    """The output is passed on, and matched line by line."""
    pattern = "log:^Ready to (accept|serve)"
    recorder = start(server, tmp_path, free_port(), "--backend", backend, "--ready", pattern)
    wait_until(lambda: "the running phase begins" in recorder.says(), "a mark", seconds=60)
    expect_phases(recorder.finish())
    assert recorder.says().count("Ready to accept connections\n") == 1


def test_what_is_written_after_the_recorder_ended_arrives(tmp_path: Path) -> None:
    """The process that copies the output does not end with the recorder."""
    script = "echo one; (sleep 2; echo two) & exit 0"
    words = [SECLATCH, "record", "-q", "-o", tmp_path / "r.json", "--seconds", "0.5"]
    words += ["--ready", "log:one", "--", shutil.which("sh"), "-c", script]
    output = tmp_path / "output"
    with output.open("w") as file:
        subprocess.run([*map(str, words)], stdout=file, stderr=subprocess.PIPE, check=True)
    wait_until(lambda: output.read_text() == "one\ntwo\n", "the rest", seconds=30)


def test_a_time(tmp_path: Path) -> None:
    words = [SECLATCH, "record", "-o", tmp_path / "r.json", "--ready", "500ms", "--"]
    words += [shutil.which("sh"), "-c", "cd /; sleep 2; cd /tmp"]
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, check=True)
    recording = recording_file.read_recording(tmp_path / "r.json")
    assert recording.ready is not None and 0.5 <= recording.ready.time < 2, done.stderr
    assert counts(recording)["chdir"] == (2, 1)


@pytest.mark.parametrize("named", [True, False])
def test_a_mark_by_hand(server: Path, tmp_path: Path, named: bool) -> None:
    """By the recorder's process id; the same as its signal."""
    recorder = start(server, tmp_path, free_port())
    wait_until(lambda: "Ready to accept" in recorder.says(), "the server", seconds=60)
    if named:
        words = [SECLATCH, "record", "mark", str(recorder.process.pid)]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        assert str(recorder.process.pid) in done.stdout
    else:
        recorder.process.send_signal(signal.SIGUSR2)
    wait_until(lambda: "ready (mark)" in recorder.says(), "the mark", seconds=60)
    expect_phases(recorder.finish())


def test_no_other_process_is_marked() -> None:
    """SIGUSR2 would end it."""
    with subprocess.Popen(["sleep", "100"]) as other:
        try:
            words = [SECLATCH, "record", "mark", str(other.pid)]
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            assert done.returncode != 0 and "Traceback" not in done.stderr
            time.sleep(0.1)
            assert other.poll() is None
        finally:
            other.kill()


def test_a_condition_that_is_never_met_is_said(tmp_path: Path) -> None:
    words = [SECLATCH, "record", "-o", tmp_path / "r.json", "--ready", "listen", "--"]
    done = subprocess.run(
        [*map(str, words), "/bin/true"], capture_output=True, text=True, check=True
    )
    assert "never ready by --ready listen" in done.stderr
    generate = subprocess.run(
        [SECLATCH, "generate", "--phase", "running", str(tmp_path / "r.json")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert generate.returncode == 2 and "no mark" in generate.stderr, generate.stderr


def test_others_cannot_say_that_it_is_ready(server: Path, tmp_path: Path) -> None:
    """The socket takes messages of any process, and believes recorded ones only."""
    words = [SECLATCH, "record", "-o", tmp_path / "r.json", "--ready", "notify", "--"]
    words += [shutil.which("sh"), "-c", 'echo "at $NOTIFY_SOCKET."; sleep 3']
    with subprocess.Popen(
        [*map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as recorder:
        assert recorder.stdout and recorder.stderr
        path = re.findall(r"at (\S+)\.", recorder.stdout.readline())[0]
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger:
            stranger.sendto(b"READY=1", path)
        assert "never ready" in recorder.stderr.read()
        assert recorder.wait(60) == 0
    assert not Path(path).exists()


def test_show_and_generate_know_the_phases(server: Path, tmp_path: Path) -> None:
    recorder = start(server, tmp_path, free_port(), "--ready", "notify")
    wait_until(lambda: "the running phase begins" in recorder.says(), "a mark", seconds=60)
    recorder.finish()

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [SECLATCH, *words, str(recorder.output)], capture_output=True, text=True, check=True
        )

    shown = run("show").stdout
    assert "ready (notify) after" in shown
    [chdir] = [line.split() for line in shown.splitlines() if line.startswith("chdir ")]
    assert chdir == ["chdir", "4", "3"]
    made = run("generate", "--phase", "running", "--exact")
    assert '"chdir"' in made.stdout and '"bind"' not in made.stdout
    assert "seen only before" in made.stderr and "bind" in made.stderr
    report = run("report", "--text").stdout
    assert "once ready" in report
