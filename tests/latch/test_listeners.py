"""SCMP_ACT_NOTIFY profiles under runtimes called by a user without privileges.

runc takes the listener out of its init by pidfd_getfd(2), which its front may not do once the init
is guarded.
"""

from __future__ import annotations

import array
import contextlib
import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.latch.listener import RECEIVE, agent
from tests.latch.oci import (
    CGROUP2_ONLY,
    Bundle,
    copy_front,
    is_hybrid,
    make_bundle,
    tracers,
    wait_until,
)

pytestmark = pytest.mark.root

UID = 2000


@dataclass(frozen=True)
class UsersRuntime:
    """A latched runtime, called by a user without privileges with this home directory."""

    name: str
    front: Path
    home: Path

    def argv(self, *words: str | Path) -> list[str | Path]:
        become = ["setpriv", "--reuid", str(UID), "--regid", str(UID), "--clear-groups"]
        # runc changes the owner of the streams to the container's root, which a user may do only
        # for files of its own
        shell = ["sh", "-c", 'exec "$@" </dev/null >>output 2>&1', "sh"]
        enter, option = [], []
        if self.name == "crun" and is_hybrid():
            enter = ["unshare", "-m", "sh", "-c", CGROUP2_ONLY, "sh"]
            option = ["--cgroup-manager=disabled"]
        return [*enter, *become, *shell, self.front, *option, *words]

    def options(self) -> dict[str, Any]:
        return {"cwd": self.home, "env": {**os.environ, "XDG_RUNTIME_DIR": str(self.home)}}

    def __call__(self, *words: str | Path) -> tuple[int, str]:
        done = subprocess.run(self.argv(*words), timeout=60, check=False, **self.options())
        return done.returncode, (self.home / "output").read_text()


@pytest.fixture
def runtime(name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[UsersRuntime]:
    monkeypatch.delenv("SECLATCH_MODE", raising=False)
    with tempfile.TemporaryDirectory(prefix="seclatch-user-") as folder:
        home = Path(folder)
        front = copy_front(home / "bin", name, shutil.which(name))
        (home / "output").touch()
        for path in (home, home / "output"):
            os.chown(path, UID, UID)
        yield UsersRuntime(name, front, home)


def make(
    runtime: UsersRuntime, rootfs: Path, args: Sequence[str], no_new_privileges: bool, **rule: Any
) -> Bundle:
    """Make a bundle whose profile reports some calls to the agent at HOME/agent."""
    profile = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "listenerPath": str(runtime.home / "agent"),
        "syscalls": [{"action": "SCMP_ACT_NOTIFY", **rule}],
    }
    made = make_bundle(
        runtime.home / "bundle", rootfs, args, seccomp=profile, no_new_privileges=no_new_privileges
    )
    linux = made.config["linux"]
    linux.pop("resources", None)
    linux["namespaces"] = [each for each in linux["namespaces"] if each["type"] != "network"]
    linux["namespaces"].append({"type": "user"})
    for kind in ("uidMappings", "gidMappings"):
        linux[kind] = [{"containerID": 0, "hostID": UID, "size": 1}]
    made.config["mounts"] = [
        each for each in made.config["mounts"] if each["destination"] in ("/proc", "/dev")
    ]
    made.write()
    return made


# Calls that the runtime's init issues between its load and the exec, one that the latch injects
# there, and one that only the program issues.
@pytest.mark.parametrize("asked", ["close", "read", "fcntl", "prctl", "getpgid"])
def test_the_agent_gets_the_listener_and_answers(
    runtime: UsersRuntime, rootfs: Path, no_new_privileges: bool, asked: str
) -> None:
    made = make(runtime, rootfs, ["/bin/exit42"], no_new_privileges, names=[asked])
    with agent(runtime.home / "agent", mode=0o777):
        status, message = runtime("run", "--bundle", made.path, made.id)
    runtime("delete", "--force", made.id)
    assert status == 42, message


def test_a_start_hook_runs_beside_a_guarded_init(
    runtime: UsersRuntime, rootfs: Path, no_new_privileges: bool
) -> None:
    """Once the listener is out, init's memory is closed: else hook and start would be refused."""
    made = make(runtime, rootfs, ["/bin/exit42"], no_new_privileges, names=["getpgid"])
    made.config["hooks"] = {"startContainer": [{"path": "/bin/true"}]}
    made.write()
    with agent(runtime.home / "agent", mode=0o777):
        status, message = runtime("run", "--bundle", made.path, made.id)
    runtime("delete", "--force", made.id)
    assert status == 42, message


@contextlib.contextmanager
def silent_agent(path: Path, start: Callable[[], Any]) -> Iterator[int]:
    """Answer nothing; yield the first process, after `start`, whose call waits for the agent."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        path.chmod(0o777)
        server.listen()
        server.settimeout(60)
        start()
        connection, _ = server.accept()
        with connection:
            _, (listener,), _, _ = socket.recv_fds(connection, 1 << 16, 1)
    notice = array.array("B", bytes(80))
    fcntl.ioctl(listener, RECEIVE, notice)
    yield struct.unpack_from("=QI", notice)[1]
    os.close(listener)


@pytest.mark.parametrize("asked", ["close", "prctl"])
def test_the_tracer_ends_with_a_container_that_waits_for_its_agent(
    runtime: UsersRuntime, rootfs: Path, no_new_privileges: bool, asked: str
) -> None:
    """Kill it while a call of the runtime, or one that the latch injected, waits for an answer."""
    made = make(runtime, rootfs, ["/bin/sleep", "100"], no_new_privileges, names=[asked])
    before = tracers()
    words = runtime.argv("run", "--bundle", made.path, made.id)
    with contextlib.ExitStack() as stack:

        def start() -> None:
            front = stack.enter_context(subprocess.Popen(words, **runtime.options()))
            stack.callback(front.kill)

        waiting = stack.enter_context(silent_agent(runtime.home / "agent", start))
        assert tracers() - before or (asked, no_new_privileges) == ("prctl", True)
        os.kill(waiting, signal.SIGKILL)
        wait_until(lambda: not tracers() - before, "the tracer's end")
    runtime("delete", "--force", made.id)
