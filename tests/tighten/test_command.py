"""`seclatch tighten` on containers of real runtimes, and on bare processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from seclatch.errors import SeclatchError
from seclatch.model.arch import Arch
from seclatch.tighten.tighten_container import TightenRequest, tighten_container
from tests.conftest import Compiler
from tests.latch.oci import Bundle, Runtime, make_bundle, status, wait_until
from tests.process.conftest import RUN, seclatch
from tests.tighten.binding import SLOWNESS, count_filters

pytestmark = pytest.mark.root

LOOP = f"while :; do kill -0 $$; sleep {0.1 if SLOWNESS == 1 else 1}; done"
SERVER = """
import socket, sys, time
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    connection, _ = listener.accept()
    connection.sendall(b"hello")
    connection.close()
"""


def profile(folder: Path, *denied: str, name: str = "running.json") -> Path:
    rule = {"names": list(denied), "action": "SCMP_ACT_ERRNO"}
    document = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule] if denied else []}
    path = folder / name
    path.write_text(json.dumps(document))
    return path


@pytest.fixture
def container(
    request: pytest.FixtureRequest, tmp_path: Path, rootfs: Path
) -> Iterator[tuple[str, int]]:
    """Start a container of runc, or another runtime; its profile denies what is injected."""
    runtime = Runtime(getattr(request, "param", "runc"))
    rules = [
        {"names": ["seccomp", "restart_syscall"], "action": "SCMP_ACT_KILL_PROCESS"},
        {"names": ["prctl"], "action": "SCMP_ACT_ERRNO"},
    ]
    own = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules}
    named = getattr(request.node, "callspec", None)
    script = named.params.get("script", LOOP) if named else LOOP
    bundle = make_bundle(tmp_path / "bundle", rootfs, ["/bin/sh", "-c", script], seccomp=own)
    pid_file = tmp_path / "pid"
    with start(runtime, bundle, pid_file) as pid:
        yield bundle.id, pid


class start:  # noqa: N801 (a context manager)
    """A container in the background; removed at the end."""

    def __init__(self, runtime: Runtime, bundle: Bundle, pid_file: Path) -> None:
        self.runtime, self.bundle, self.pid_file = runtime, bundle, pid_file

    def __enter__(self) -> int:
        words = ("run", "--detach", "--pid-file", self.pid_file, "--bundle", self.bundle.path)
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        done = self.runtime(*words, self.bundle.id, capture_output=False, **silent)
        assert done.returncode == 0
        return int(self.pid_file.read_text())

    def __exit__(self, *_: object) -> None:
        self.runtime("delete", "--force", self.bundle.id)


def read_document(*words: object) -> dict[str, Any]:
    done = seclatch("tighten", *words, "--json")
    document = json.loads(done.stdout)
    schema = resources.files("seclatch.data").joinpath("schemas", "tighten-1.json").read_text()
    jsonschema.validate(document, json.loads(schema))
    return document


@pytest.mark.parametrize("container", ["runc", "crun"], indirect=True)
def test_a_container_is_bound_once(container: tuple[str, int], tmp_path: Path) -> None:
    name, pid = container
    running = profile(tmp_path, "mkdir", "mkdirat", "execve")
    dry = seclatch("tighten", name, "--profile", running, "--now", "--dry-run")
    assert dry.returncode == 0 and "can be bound" in dry.stdout, dry
    assert count_filters(pid) == 1
    done = seclatch("tighten", name, "--profile", running, "--now")
    assert done.returncode == 0, done
    assert "bound" in done.stdout and "read back from the kernel" in done.stderr
    assert "exec sessions that are started later" in done.stderr
    assert count_filters(pid) == 2
    document = read_document(name, "--profile", running, "--now")
    assert {each["state"] for each in document["processes"]} == {"present"}
    assert not document["touched"] and document["complete"]
    assert count_filters(pid) == 2


def test_children_inherit_it_and_the_loader_is_named(
    container: tuple[str, int], tmp_path: Path
) -> None:
    name, pid = container
    running = profile(tmp_path, "mkdirat", "kill")
    assert seclatch("tighten", name, "--profile", running, "--now").returncode == 0
    children = Path(f"/proc/{pid}/task/{pid}/children")

    def count_of_child() -> int:
        with suppress(OSError, ValueError, KeyError):  # `sleep 0.1` ends soon
            return count_filters(int(children.read_text().split()[0]))
        return 0

    assert wait_until(count_of_child, "a child") == 2
    shown = seclatch("ps", "--pid", str(pid), "--profile", running).stdout
    assert "running.json" in shown
    listed = seclatch("filter", str(pid))
    second, first = (line for line in listed.stdout.splitlines() if " of 2: " in line)
    assert "loaded by seclatch tighten 20" in second and "seclatch tighten" not in first
    answer = seclatch("filter", str(pid), "--test", "mkdirat()").stdout
    assert "ERRNO" in answer
    explained = seclatch("explain", "--container", name, "--seconds", "1")
    denial = next(line for line in explained.stdout.splitlines() if "kill(" in line)
    assert "not the container's; `seclatch tighten` put one on 20" in denial, explained


def test_a_setuid_program_is_listed(container: tuple[str, int], tmp_path: Path) -> None:
    name, pid = container
    status = Path(f"/proc/{pid}/status").read_text()
    assert "NoNewPrivs:\t0" in status
    running = profile(tmp_path, "mkdirat")
    never = seclatch("tighten", name, "--profile", running, "--now", "--no-new-privs", "never")
    assert never.returncode == 125 and "--no-new-privs never forbids" in never.stderr, never
    assert count_filters(pid) == 1
    document = read_document(name, "--profile", running, "--now")
    assert document["setuid"] == ["/bin/suid"]
    assert any("/bin/suid" in warning for warning in document["warnings"])
    assert "NoNewPrivs:\t1" in Path(f"/proc/{pid}/status").read_text()


def test_what_every_process_needs(compiler: Compiler, tmp_path: Path) -> None:
    needs = ("rt_sigreturn", "exit_group", "futex", "munmap", "brk")
    with subprocess.Popen([compiler("pausing")]) as process:
        words = ("tighten", process.pid, "--profile", profile(tmp_path, *needs), "--now")
        done = seclatch(*words)
        assert done.returncode == 2, done
        for call in needs:
            assert f"it denies {call}, which every process" in done.stderr
        assert count_filters(process.pid) == 0
        assert seclatch(*words, "--insist").returncode == 0
        assert count_filters(process.pid) == 1
        process.kill()


def test_what_a_listener_needs(tmp_path: Path) -> None:
    words = ["/usr/bin/python3", "-c", SERVER]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdout.readline()
        running = profile(tmp_path, "accept", "accept4")
        done = seclatch("tighten", process.pid, "--profile", running, "--now")
        assert done.returncode == 2 and "would get no connection" in done.stderr, done
        assert "which a thread is in right now" in done.stderr
        one = profile(tmp_path, "accept", name="one.json")
        assert seclatch("tighten", process.pid, "--profile", one, "--now").returncode == 0
        process.kill()


def test_a_ring_is_named(compiler: Compiler, tmp_path: Path) -> None:
    with subprocess.Popen([compiler("ring")], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stdout.readline() == "ready\n"
        running = profile(tmp_path, "mkdirat")
        done = seclatch("tighten", process.pid, "--profile", running, "--now")
        assert done.returncode == 0 and "io_uring requests pass no filter" in done.stderr, done
        assert str(process.pid) in done.stderr
        process.kill()


def test_a_rehearsal_finds_what_would_be_denied(container: tuple[str, int], tmp_path: Path) -> None:
    """The loop forks and executes `sleep`: the profile denies that, and nothing is put on."""
    name, pid = container
    running = profile(tmp_path, "execve")
    done = seclatch("tighten", name, "--profile", running, "--rehearse", "1s")
    assert done.returncode == 125, done
    assert "execve: would be denied" in done.stderr and "not put on" in done.stderr
    assert count_filters(pid) == 1
    harmless = profile(tmp_path, "mkdirat", name="harmless.json")
    done = seclatch("tighten", name, "--profile", harmless, "--rehearse", "1s")
    assert done.returncode == 0 and "none of them is denied" in done.stderr, done
    assert count_filters(pid) == 2


def blocks(pid: int, number: signal.Signals) -> bool:
    return bool(int(status(pid)["SigBlk"], 16) & 1 << number - 1)


def test_a_rehearsal_ends_early_with_its_signal(container: tuple[str, int], tmp_path: Path) -> None:
    name, pid = container
    words = [sys.executable, "-c", RUN, "tighten", name, "--profile", profile(tmp_path, "mkdirat")]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=env) as process:
        assert process.stderr
        while "nothing is changed until then" not in (line := process.stderr.readline()):
            assert line, "it has ended"
        wait_until(lambda: blocks(process.pid, signal.SIGINT), "the recorder, which waits for it")
        process.send_signal(signal.SIGINT)
        shown = process.stderr.read()
    assert "nothing was changed" in shown and process.returncode == 125, (shown, process.returncode)
    assert count_filters(pid) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["no-such-container", "--now"], "there is no container no-such-container"),
        (["1", "--now"], "the host's first process"),
        ([str(os.getpid()), "--now"], "this command's own ancestor"),
        (["1", "--rehearse", "soon"], "is no duration"),
    ],
)
def test_wrong_input(words: list[str], message: str, tmp_path: Path) -> None:
    done = seclatch("tighten", *words, "--profile", profile(tmp_path, "mkdir"))
    assert done.returncode == 2 and message in done.stderr, done


def test_a_bare_process_is_not_rehearsed(compiler: Compiler, tmp_path: Path) -> None:
    with subprocess.Popen([compiler("pausing")]) as process:
        done = seclatch("tighten", process.pid, "--profile", profile(tmp_path, "mkdir"))
        assert done.returncode == 2 and "give --now" in done.stderr, done
        process.kill()


def test_under_a_filter_it_refuses(compiler: Compiler, tmp_path: Path) -> None:
    """The kernel lets a process that is under seccomp suspend it for no other."""
    with subprocess.Popen([compiler("pausing")]) as process:
        running = profile(tmp_path, "mkdir")
        before = [compiler("under_filter")]
        done = seclatch("tighten", process.pid, "--profile", running, "--now", before=before)
        assert done.returncode == 125 and "is under seccomp itself" in done.stderr, done
        process.kill()


def test_without_privileges_it_refuses(compiler: Compiler, tmp_path: Path) -> None:
    with subprocess.Popen([compiler("pausing")]) as process:
        running = profile(tmp_path, "mkdir")
        before = ["unshare", "--user", "--map-root-user"]
        done = seclatch("tighten", process.pid, "--profile", running, "--now", before=before)
        assert done.returncode == 125 and "CAP_SYS_ADMIN on the host" in done.stderr, done
        assert f"process {process.pid} (pausing) " in done.stderr, done
        assert "nothing was touched" in done.stderr, done
        process.kill()


def test_other_architectures_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(Arch, "native", lambda: Arch.RISCV64)
    request = TightenRequest("no-such-container", profile(tmp_path, "mkdir"))
    with pytest.raises(SeclatchError, match="only x86_64 and arm64 are supported"):
        tighten_container(request)
