"""A further run's container is removed with any version of the engine's client.

Podman before 4.0 is no more to be had on the hosts of these tests: Debian 11 and Ubuntu 22.04 have
it. A script stands for it, that refuses the option that such a podman does not know.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from seclatch.diagnose.confirm.client_command.second_run import SecondRun
from seclatch.diagnose.confirm.run_again import plan_run_again
from seclatch.diagnose.confirm.run_limit import RunLimit
from seclatch.diagnose.observe_command import observe_command
from seclatch.recording.recorder import RecordOptions
from tests.latch.oci import wait_until

pytestmark = pytest.mark.root

# The container of `run` ends by `kill` alone: a server that ignores SIGTERM.
OLD_PODMAN = """#!/bin/sh
echo "$*" >>"$0.calls"
case " $* " in
*" --time "*) echo "Error: unknown flag: --time" >&2; exit 125 ;;
" run "*) while [ ! -e "$0.killed" ]; do sleep 0.05; done; exit 137 ;;
" kill "*) : >"$0.killed" ;;
" rm "*) [ -e "$0.killed" ] || exit 1; : >"$0.removed" ;;
esac
"""
# An open file above the limit on their number: closing them up to this limit leaves it open.
GUARDED = """
import os, resource, signal, subprocess, sys
from pathlib import Path
from seclatch.diagnose.confirm.removal_guard import guard_removal
from seclatch.diagnose.confirm.run_again import plan_run_again
folder = Path(sys.argv[2])
os.dup2(0, 900)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
second = plan_run_again([sys.argv[1], "run", "x"]).make("1", folder, None)
with guard_removal(second, folder) as guarded:
    subprocess.Popen(guarded.words, preexec_fn=guarded.prepare)
    signal.pause()
"""


@pytest.fixture
def podman(tmp_path: Path) -> Path:
    client = tmp_path / "podman"
    client.write_text(OLD_PODMAN)
    client.chmod(0o755)
    return client


def make_second(podman: Path) -> SecondRun:
    return plan_run_again([str(podman), "run", "x"]).make("1", podman.parent, None)


def read_calls(podman: Path) -> list[str]:
    return [line.split()[0] for line in Path(f"{podman}.calls").read_text().splitlines()]


def test_the_client_knows_no_time_option(podman: Path) -> None:
    words = [podman, "rm", "--force", "--time", "0", "x"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (125, "Error: unknown flag: --time\n")


def test_a_run_over_its_time_is_removed_by_an_old_podman(podman: Path) -> None:
    second = make_second(podman)
    limit = RunLimit(0, second.stop)
    evidence, _ = observe_command(
        second.words, RecordOptions(watch=limit.watch, query_images=False)
    )
    limit.clean()
    assert evidence.status == 137
    assert Path(f"{podman}.removed").exists()


def test_an_interrupted_run_is_removed_by_an_old_podman(podman: Path) -> None:
    limit = RunLimit(100, make_second(podman).stop)
    limit.note_interrupt()
    limit.clean()
    assert Path(f"{podman}.removed").exists()
    assert read_calls(podman) == ["kill", "rm"]


def test_a_guard_removes_by_an_old_podman_and_keeps_no_file_open(
    podman: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    words = [sys.executable, "-c", GUARDED, str(podman), str(folder)]
    with subprocess.Popen(words, stdin=subprocess.DEVNULL) as explain:
        try:
            wait_until(Path(f"{podman}.calls").exists, "the client")
            children = Path(f"/proc/{explain.pid}/task/{explain.pid}/children").read_text()
            guard = min(map(int, children.split()))  # made before the client
            files = Path(f"/proc/{guard}/fd")
            wait_until(lambda: not Path(files, "900").is_symlink(), "its files to be closed")
        finally:
            explain.send_signal(signal.SIGKILL)
    wait_until(lambda: not folder.exists(), "the removal of the folder, which is the last")
    assert Path(f"{podman}.removed").exists()
