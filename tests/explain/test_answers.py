"""Sources of the answer to a denied call: runc's stub, a supervisor, the program's own filter."""

from __future__ import annotations

import array
import fcntl
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Compiler
from tests.explain.conftest import Explain
from tests.explain.corpus import denying
from tests.latch.oci import Bundle, Runtime, make_bundle

pytestmark = pytest.mark.root
Make = Callable[..., Bundle]

# <linux/seccomp.h>: struct seccomp_notif has 80 bytes, seccomp_notif_resp 24.
RECEIVE, SEND = 0xC0502100, 0xC0182101
RESPONSE = struct.Struct("=QqiI")
EPERM = 1


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Path]:
    """Run an agent as defined by OCI: receive the listener, answer every call with EPERM."""
    path = tmp_path / "agent.sock"
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(str(path))
    server.listen(4)
    thread = threading.Thread(target=_serve, args=(server,), daemon=True)
    thread.start()
    yield path
    server.close()


def _serve(server: socket.socket) -> None:
    connection, _ = server.accept()
    found = array.array("i")
    while not found:
        _, ancillary, _, _ = connection.recvmsg(1 << 16, socket.CMSG_SPACE(64))
        for _, kind, data in ancillary:
            if kind == socket.SCM_RIGHTS:
                found.frombytes(data[: len(data) // 4 * 4])
    while True:
        request = bytearray(80)
        try:
            fcntl.ioctl(found[0], RECEIVE, request)
            identity = struct.unpack_from("=Q", request)[0]
            fcntl.ioctl(found[0], SEND, RESPONSE.pack(identity, 0, -EPERM, 0))
        except OSError:  # the container has ended
            return


@pytest.mark.parametrize("name", ["runc", "crun"])
def test_a_supervisor_s_answer(explain: Explain, bundle: Make, supervisor: Path, name: str) -> None:
    profile = denying("mkdir", action="SCMP_ACT_NOTIFY") | {"listenerPath": str(supervisor)}
    made = bundle(["/bin/mkdir", "/tmp/x"], seccomp=profile)
    done = explain(Runtime(name, latched=False).argv("run", "--bundle", made.path, made.id))
    assert (done.seccomp, done.cause) == (True, "program-denied"), done.document
    [fatal] = [one for one in done.document["denials"] if one["fatal"]]
    assert (fatal["syscall"], fatal["action"]) == ("mkdir", "SCMP_ACT_NOTIFY")
    assert fatal["errno"] == "EPERM"


def test_without_a_supervisor(explain: Explain, bundle: Make, tmp_path: Path) -> None:
    profile = denying("mkdir", action="SCMP_ACT_NOTIFY")
    profile["listenerPath"] = str(tmp_path / "nobody.sock")
    made = bundle(["/bin/true"], seccomp=profile)
    done = explain(Runtime("runc", latched=False).argv("run", "--bundle", made.path, made.id))
    assert done.done.returncode != 0
    assert done.seccomp is not False, json.dumps(done.document)


def test_a_filter_of_the_program_s_own(explain: Explain, compiler: Compiler) -> None:
    done = explain([compiler("denials"), "kill"])
    assert (done.seccomp, done.cause) == (True, "program-denied"), done.document
    [fatal] = [one for one in done.document["denials"] if one["fatal"]]
    assert (fatal["syscall"], fatal["rule"]["by"]) == ("getppid", "unknown")
    assert "rules" not in {one["kind"] for one in done.document["remedies"]}


def test_a_killed_thread_is_not_its_process(explain: Explain, compiler: Compiler) -> None:
    done = explain([compiler("denials"), "kill_thread", "thread", "fail"])
    assert (done.done.returncode, done.seccomp, done.cause) == (6, True, "program-denied")
    assert done.document["evidence"][0].startswith("a thread of denials was ended by SIGSYS")


def test_denials_without_consequence_are_no_failure(explain: Explain, compiler: Compiler) -> None:
    done = explain([compiler("denials"), "errno"])
    assert (done.seccomp, done.cause) == (False, "none")
    [denial] = done.document["denials"]
    assert (denial["syscall"], denial["count"], denial["fatal"]) == ("getppid", 3, False)


@pytest.mark.parametrize(
    ("script", "verdict"),
    [
        ("mkdir /tmp/x || exit 7", (True, "program-denied")),
        ("mkdir /tmp/x || { echo failed >&2; exit 7; }", (True, "program-denied")),
        ("mkdir /tmp/x; echo something else; exit 7", (None, "possibly-denied")),
    ],
)
def test_a_shell_after_a_denial(
    explain: Explain,
    bundle: Callable[..., Bundle],
    plain: Runtime,
    script: str,
    verdict: tuple[bool | None, str],
) -> None:
    made = bundle(["/bin/sh", "-c", script], seccomp=denying("mkdir"))
    done = explain(plain.argv("run", "--bundle", made.path, made.id))
    assert done.done.returncode == 7
    assert (done.seccomp, done.cause) == verdict, done.document


@pytest.mark.parametrize(
    ("denied", "script"),
    [
        ("getegid geteuid getgid rt_sigaction", "echo working; echo done; exit 6"),
        ("ioctl", "test -t 0 || exit 4"),
        ("mkdir", "mkdir -p /tmp/cache 2>/dev/null; exit 3"),
        ("mkdir", "/bin/broken abort"),
    ],
)
def test_a_failure_that_also_occurs_without_a_profile(
    explain: Explain, broken_rootfs: Path, tmp_path: Path, denied: str, script: str
) -> None:
    """The status is the same without the denial: nothing shows that it was the cause."""
    plain = Runtime("runc", latched=False)
    words = ["/bin/sh", "-c", script]
    made = make_bundle(tmp_path / "bound", broken_rootfs, words, seccomp=denying(*denied.split()))
    free = make_bundle(tmp_path / "free", broken_rootfs, words, seccomp=None)
    done = explain(plain.argv("run", "--bundle", made.path, made.id))
    alone = plain("run", "--bundle", free.path, free.id)
    assert done.done.returncode == alone.returncode != 0
    assert (done.seccomp, done.cause) == (None, "possibly-denied"), done.document


def test_error_messages_of_a_successful_process(explain: Explain, plain: Runtime) -> None:
    """A wrapper's attempts come before; the runtime's own message gives the cause."""
    script = '(cat /nowhere/thing; true); exec "$@"'
    done = explain(["sh", "-c", script, "sh", *plain.argv("exec", "no-such-container", "ls")])
    assert done.seccomp is False
    assert "/nowhere/thing" not in done.document["summary"], done.document
