"""A watch as a whole: hostile names, log files, signals, selection, privileges."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from seclatch.engines.services.watch_service import TEMPLATE
from seclatch.model.denial_log import LoggedDenial, WatchEvent, decode_line
from seclatch.profile.generate.log_denials import LOG_FLAGS
from tests.conftest import Compiler
from tests.latch.oci import SCRIPTS
from tests.watch.conftest import Watch, start_watch

pytestmark = pytest.mark.root

SECLATCH = str(SCRIPTS / "seclatch")
HOSTILE = 'x"\n\x1b[31mred} \\ pid=1'


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Provide a folder that every user can reach."""
    with tempfile.TemporaryDirectory(prefix="seclatch-watch-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def wait_for(found: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_hostile_names_stay_text(compiler: Compiler, open_folder: Path, tmp_path: Path) -> None:
    """In lines for people, in the log, in metrics."""
    program = open_folder / HOSTILE
    shutil.copy(compiler("denials"), program)
    port, log = free_port(), tmp_path / "log"
    words = ["watch", "--no-engines", "-o", str(log), "--metrics", str(port)]
    process = subprocess.Popen([SECLATCH, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        wait_for(log.exists)
        wait_for(lambda: log.read_bytes().count(b"\n"))
        denied = subprocess.Popen([program, "errno"])
        denied.wait()
        wait_for(lambda: f'"pid":{denied.pid},' in log.read_text())
        metrics = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
    finally:
        process.terminate()
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    lines = output.decode().splitlines()
    assert all(line.isprintable() for line in lines)
    (mine,) = [line for line in lines if f"[{denied.pid}]" in line]
    assert r'x"\n\x1b[31mred} \\ pid=1'.replace(r"\\", "\\") in mine
    assert "3 times" in mine
    denials = [decode_line(line) for line in log.read_bytes().splitlines()]
    (logged,) = [one for one in denials if isinstance(one, LoggedDenial) and one.pid == denied.pid]
    assert logged.exe in (HOSTILE, str(program))
    assert all(line.isprintable() for line in metrics.splitlines())
    assert "red}" not in metrics
    assert re.search(r'seclatch_denials_total\{answer="E2BIG",.*syscall="getppid".*\} \d', metrics)


def test_a_moved_log_is_opened_anew_after_sighup(
    watch: Watch, compiler: Compiler, tmp_path: Path
) -> None:
    log, moved = tmp_path / "log", tmp_path / "moved"
    with watch("-o", log) as watched:
        wait_for(log.exists)
        log.rename(moved)
        watched.process.send_signal(signal.SIGHUP)
        wait_for(log.exists)
        pid = subprocess.Popen([compiler("denials"), "errno"])
        pid.wait()
    kinds = [decode_line(line) for line in log.read_bytes().splitlines()]
    assert any(isinstance(one, LoggedDenial) and one.pid == pid.pid for one in kinds)
    first = decode_line(moved.read_bytes().splitlines()[0])
    assert isinstance(first, WatchEvent) and first.event == "begin"
    assert isinstance(kinds[-1], WatchEvent) and kinds[-1].event == "end"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_cleanly_in_a_storm(watch: Watch, compiler: Compiler, number: int) -> None:
    storm = subprocess.Popen([compiler("answers"), "storm", "100000000"])
    try:
        with watch() as watched:
            watched.read_until(lambda: sum(one.count for one in watched.of(pid=storm.pid)) > 1000)
            watched.end(number)
    finally:
        storm.kill()
        storm.wait()
    assert watched.status == 0
    assert watched.events[-1].event == "end"
    assert "Traceback" not in watched.errors


def test_only_one_process(compiler: Compiler) -> None:
    storm = subprocess.Popen([compiler("answers"), "storm", "100000000"])
    try:
        words = [SECLATCH, "watch", "--json", "--pid", str(storm.pid)]
        with start_watch(words) as watched:
            subprocess.run([compiler("denials"), "errno"], check=True)
            before = len(watched.denials)
            watched.read_until(lambda: len(watched.denials) > before + 1)
    finally:
        storm.kill()
        storm.wait()
    assert {one.pid for one in watched.denials} == {storm.pid}
    assert watched.events[0].selection == [f"--pid={storm.pid}"]


def test_the_capabilities_of_the_service_suffice(compiler: Compiler, open_folder: Path) -> None:
    """Another user's process is seen with its executable."""
    (given,) = re.findall(r"^CapabilityBoundingSet=(.*)$", TEMPLATE, re.MULTILINE)
    names = [name.removeprefix("CAP_").lower() for name in given.split()]
    drop = ["setpriv", f"--bounding-set=-all,{','.join(f'+{name}' for name in names)}"]
    program = open_folder / "answers"
    shutil.copy(compiler("answers"), program)
    with start_watch([*drop, "--no-new-privs", SECLATCH, "watch", "--json"]) as watched:
        storm = subprocess.Popen([program, "storm", "100000000"], user=65534, group=65534)
        try:
            watched.read_until(lambda: watched.of(pid=storm.pid))
        finally:
            storm.kill()
            storm.wait()
    mine = watched.of(pid=storm.pid)
    assert {(one.exe, one.uid) for one in mine} == {(str(program), 65534)}
    assert "log" in watched.events[0].sees


def test_standard_output_that_nothing_reads_ends_it() -> None:
    words = [SECLATCH, "watch", "--json"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout and process.stdout.readline()
    process.stdout.close()
    process.send_signal(signal.SIGTERM)
    assert process.stderr
    errors = process.stderr.read()
    assert process.wait(timeout=60) in (0, 1, 141)
    assert b"Traceback" not in errors and b"internal error" not in errors


def test_a_full_pipe_holds_up_no_end() -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    with contextlib.suppress(BlockingIOError):
        while os.write(write, b"x" * 4096):
            pass
    os.set_blocking(write, True)
    with subprocess.Popen([SECLATCH, "watch", "--json"], stdout=write) as process:
        wait_for(lambda: handles_sigterm(process.pid))
        process.terminate()
        assert process.wait(60) == 0
    os.close(read)
    os.close(write)


def handles_sigterm(pid: int) -> bool:
    handled = Path(f"/proc/{pid}/status").read_text().partition("SigCgt:\t")[2][:16]
    return bool(int(handled, 16) >> (signal.SIGTERM - 1) & 1)


def test_cheap_sees_a_profile_with_the_flag(tmp_path: Path) -> None:
    """As `generate --log-denials` writes it, with crun, which takes flags."""
    profile = tmp_path / "flagged.json"
    rule = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13}
    document = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule], "flags": LOG_FLAGS}
    profile.write_text(json.dumps(document))
    with start_watch([SECLATCH, "watch", "--json", "--cheap"]) as watched:
        words = ["run", "--runtime", "crun", "--profile", profile, "--", "mkdir", "/tmp/x"]
        done = subprocess.run([SECLATCH, *words], capture_output=True, text=True, check=False)
        assert "Permission denied" in done.stderr
    mine = [one for one in watched.of(syscall="mkdir") if one.exe.endswith("busybox")]
    assert [(one.answer, one.count) for one in mine] == [("errno", 1)]


def test_a_service_is_named_by_its_control_group(compiler: Compiler) -> None:
    """As systemd makes them; `--unit` selects."""
    group = make_group("seclatch-web.service")
    try:
        with start_watch([SECLATCH, "watch", "--json", "--unit", "seclatch-web"]) as watched:
            script = 'echo $$ > "$1/cgroup.procs" && exec "$2" storm 100000000'
            words = ["sh", "-c", script, "sh", group, compiler("answers")]
            storm = subprocess.Popen(words)
            try:
                subprocess.run([compiler("denials"), "errno"], check=True)
                watched.read_until(lambda: watched.of(pid=storm.pid))
            finally:
                storm.kill()
                storm.wait()
    finally:
        wait_for(lambda: remove_group(group))
    assert {(one.unit, one.pid) for one in watched.denials} == {("seclatch-web.service", storm.pid)}


def make_group(name: str) -> Path:
    """Make a control group, in whatever hierarchy this host has."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, source = line.partition(" - ")
        if source.split()[0] in ("cgroup2", "cgroup") and "cpuset" not in source:
            group = Path(fields.split()[4]) / name
            group.mkdir()
            return group
    pytest.skip("this host has no control groups")


def remove_group(group: Path) -> bool:
    """Remove it once the last process has left."""
    try:
        group.rmdir()
    except OSError:
        return False
    return True
