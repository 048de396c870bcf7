"""Each start under a profile is logged to the system log, with its method and container."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.latch.oci import Bundle, Runtime, case

pytestmark = pytest.mark.root

MakeBundle = Callable[..., Bundle]

# /dev as an overlay in a mount namespace of its own: the machine may have a log, or none.
OWN_DEV = """
mount -t tmpfs tmpfs "$1" && mkdir "$1/upper" "$1/work" &&
mount -t overlay -o lowerdir=/dev,upperdir="$1/upper",workdir="$1/work" overlay /dev && shift &&
exec "$@"
"""
LISTENER = """
import os, socket, subprocess, sys
flood, *command = sys.argv[1:]
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
if os.path.lexists("/dev/log"):
    os.unlink("/dev/log")
log.bind("/dev/log")
log.settimeout(float(os.environ.get("PATIENCE", 20)))
senders, sent = [], flood == "flood"
while sent:  # each until its own buffer is full, all until the log's queue is
    sent = 0
    senders.append(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    senders[-1].setblocking(False)
    try:
        while True:
            senders[-1].sendto(b"noise", "/dev/log")
            sent += 1
    except BlockingIOError:
        pass
print("status", subprocess.run(command).returncode)
try:
    while True:
        line = log.recv(1000)
        if line != b"noise":
            print(line.decode())
            break
        log.settimeout(0.5)
except TimeoutError:
    print("nothing")
"""


@pytest.fixture
def listen(tmp_path: Path) -> Callable[..., list[str]]:
    """Provide listen(COMMAND…): return its status and the first line that the log receives."""
    place = tmp_path / "dev"
    place.mkdir()

    def start(*command: str, flood: bool = False) -> list[str]:
        words = [sys.executable, "-c", LISTENER, "flood" if flood else "", *command]
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", OWN_DEV, "sh", place, *words],
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert not done.returncode, done.stderr
        return done.stdout.splitlines()

    return start


def words_of(latched: Runtime, made: Bundle) -> list[str]:
    return latched.argv("run", "--bundle", made.path, made.id)


@pytest.mark.parametrize(
    ("mode", "no_new_privs", "priority", "method"),
    [("auto", False, 30, "suspend"), ("gate", True, 30, "hold"), ("gate", False, 28, "gate")],
)
def test_the_log_names_the_method(
    latched: Runtime,
    bundle: MakeBundle,
    listen: Callable[..., list[str]],
    mode: str,
    no_new_privs: bool,
    priority: int,
    method: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Priority 28: the daemon's facility, a warning; 30: information."""
    monkeypatch.setenv("SECLATCH_MODE", mode)
    made = bundle(["/bin/exit42"], seccomp=case("exit-only"), no_new_privileges=no_new_privs)
    status, line = listen(*words_of(latched, made))
    assert status == "status 42"
    assert re.fullmatch(
        rf"<{priority}>seclatch\[\d+\]: road={re.escape(method)} pid=\d+ container={made.id}", line
    ), line


def test_a_container_without_a_filter_is_not_logged(
    latched: Runtime,
    bundle: MakeBundle,
    listen: Callable[..., list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATIENCE", "1")
    made = bundle(["/bin/exit42"], seccomp=None)
    assert listen(*words_of(latched, made)) == ["status 42", "nothing"]


def test_a_full_log_delays_no_start(
    latched: Runtime, bundle: MakeBundle, listen: Callable[..., list[str]]
) -> None:
    made = bundle(["/bin/exit42"], seccomp=case("exit-only"))
    assert listen(*words_of(latched, made), flood=True) == ["status 42", "nothing"]


def test_an_early_and_a_late_refusal(
    latched: Runtime,
    bundle: MakeBundle,
    listen: Callable[..., list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Priority 27: an error. Engines quote the runtime's last line, which follows a refusal."""
    made = bundle(["/bin/exit42"], seccomp=case("exit-only"))
    for held in made.config["process"]["capabilities"].values():
        held.append("CAP_SYS_PTRACE")
    made.config["hooks"] = {"startContainer": [{"path": "/bin/exit0"}]}
    made.write()
    message = r"<27>seclatch\[\d+\]: nothing was started: {}.*What to do: .+"
    status, line = listen(*words_of(latched, made))
    assert status not in ("status 0", "status 42")
    assert re.fullmatch(message.format("a startContainer hook has CAP_SYS_PTRACE"), line)
    latched("delete", "--force", made.id)
    made.config["annotations"] = {"run.oci.handler": "wasm"}
    made.write()
    status, line = listen(*words_of(latched, made))
    assert status == "status 125"
    assert re.fullmatch(message.format("the container's annotations choose"), line)
