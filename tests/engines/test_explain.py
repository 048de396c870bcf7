"""`seclatch explain` before real engines' clients: find the cause through daemon and shim."""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from seclatch.recording.files import recording_file
from tests.engines.docker import Docker
from tests.engines.engine import IMAGE, Done, Engine
from tests.explain.conftest import SCHEMA
from tests.explain.corpus import denying
from tests.explain.test_running_containers import Waiting
from tests.latch.oci import SCRIPTS


@dataclass
class Explained:
    done: Done
    document: dict[str, Any]

    @property
    def verdict(self) -> tuple[bool | None, str]:
        return self.document["seccomp"], self.document["cause"]

    def fatal(self) -> set[tuple[str, str, str]]:
        return {
            (one["session"], one["stage"], one["syscall"])
            for one in self.document["denials"]
            if one["fatal"]
        }


Explain = Callable[[Callable[[], Done]], Explained]


@pytest.fixture
def explained(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Explain:
    """Provide explained(CALL): explain the client commands that CALL runs."""
    plain = engine.host.argv
    path = tmp_path / "why.json"

    def run(call: Callable[[], Done]) -> Explained:
        words = [str(SCRIPTS / "seclatch"), "explain", "--confirm", "never", "--json"]
        words += ["-o", str(path), "--"]
        with monkeypatch.context() as patch:
            patch.setattr(engine.host, "argv", lambda *more: [*words, *plain(*more)])
            done = call()
        document = json.loads(path.read_text())
        jsonschema.validate(document, SCHEMA)
        assert document["incomplete"] == 0
        assert document["status"] == done.returncode
        return Explained(done, document)

    return run


@pytest.fixture
def profile(tmp_path: Path) -> Callable[..., Path]:
    def write(*calls: str, **more: Any) -> Path:
        path = tmp_path / "profile.json"
        path.write_text(json.dumps(denying(*calls, **more)))
        return path

    return write


STRICT = Path(__file__).parent.parent / "data" / "stali-like.json"
VITAL = {"runc": ("chdir", "capset"), "crun": ("execve",)}


# Each with both under each engine: `python -m bench explain`.
@pytest.mark.parametrize(
    ("runtime", "quiet"), [("runc", False), ("crun", True)], ids=["privs", "no_new_privs"]
)
def test_a_runtime_that_the_filter_stops(
    engine: Engine, runtime: str, quiet: bool, explained: Explain, profile: Callable[..., Path]
) -> None:
    calls = VITAL[runtime]
    file = profile(*calls)
    found = explained(
        lambda: engine.run("/bin/true", runtime=runtime, profile=file, no_new_privs=quiet)
    )
    assert found.done.returncode != 0
    assert found.verdict == (True, "runtime-denied"), found.document
    assert found.fatal() <= {("start", "filtered-init", call) for call in calls} != set()
    assert {one["syscall"] for one in found.document["needs"]["calls"]} == set(calls)
    assert found.document["denials"][0]["rule"]["profile"] == str(file)
    latch = found.document["remedies"][0]
    assert latch["kind"] == "latch"
    assert any("seclatch" in word for word in latch["command"])


def test_a_program_that_the_filter_stops(
    engine: Engine, runtime: str, explained: Explain, profile: Callable[..., Path]
) -> None:
    file = profile("mkdir")
    found = explained(lambda: engine.run("/bin/mkdir", "/x", runtime=runtime, profile=file))
    assert found.verdict == (True, "program-denied"), found.document
    assert found.fatal() == {("start", "program", "mkdir")}
    [denial] = [one for one in found.document["denials"] if one["fatal"]]
    assert (denial["arguments"], denial["rule"]["by"]) == (['"/x"'], "rule")


def test_the_next_container_that_fails(
    engine: Engine, tmp_path: Path, profile: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each ends before its engine can be asked for its name, and is removed at once."""
    file, names = profile("mkdir"), [engine.new_name(), engine.new_name()]
    waiting = [
        Waiting(["--next", "--seconds", "60", "--name", name], tmp_path / f"why-{name}.json")
        for name in names
    ]
    assert engine.run("/bin/false", runtime="runc", profile=file).returncode != 0  # of another name
    monkeypatch.setattr(engine, "new_name", lambda: names.pop(0))
    for words in (("/bin/mkdir", "/x"), ("/nowhere",)):
        assert engine.run(*words, runtime="runc", profile=file).returncode != 0
    denied, missing = (each.finish() for each in waiting)
    jsonschema.validate(denied, SCHEMA)
    assert (denied["seccomp"], denied["cause"]) == (True, "program-denied"), denied
    assert waiting[0].status == 1
    [fatal] = [one for one in denied["denials"] if one["fatal"]]
    assert (fatal["syscall"], fatal["arguments"]) == ("mkdir", ['"/x"'])
    assert (missing["seccomp"], missing["cause"]) == (False, "missing-file"), missing


@pytest.mark.parametrize(
    ("runtime", "words", "cause"),
    [
        ("runc", ("/bin/cat", "/nowhere"), "missing-file"),
        ("crun", ("/etc/passwd",), "not-executable"),
    ],
)
def test_a_failure_unrelated_to_seccomp(
    engine: Engine,
    runtime: str,
    words: tuple[str, ...],
    cause: str,
    explained: Explain,
    profile: Callable[..., Path],
) -> None:
    file = profile("swapon")
    found = explained(lambda: engine.run(*words, runtime=runtime, profile=file))
    assert found.done.returncode != 0
    assert found.verdict == (False, cause), found.document


def test_an_exec_that_fails_in_a_running_container(
    engine: Engine, runtime: str, explained: Explain, profile: Callable[..., Path]
) -> None:
    file = profile("mkdir")
    container = engine.detach("/bin/sleep", "100", runtime=runtime, profile=file)
    found = explained(lambda: engine.exec(container, "/bin/mkdir", "/x"))
    assert found.verdict == (True, "program-denied"), found.document
    assert found.fatal() == {("exec", "program", "mkdir")}


def test_an_image_that_does_not_exist(engine: Engine, explained: Explain) -> None:
    words = {
        "docker": ["run", "--pull", "never"],
        "podman": ["run", "--pull", "never"],
        "containerd": ["run"],
    }
    name = "seclatch.test/none:latest"
    tail = ["x"] if engine.name == "containerd" else []
    found = explained(lambda: engine.command(*words[engine.name], name, *tail))
    assert found.done.returncode != 0
    assert found.document["seccomp"] is False
    assert found.document["cause"] in ("engine-failed", "missing-file"), found.document


def test_a_healthcheck_that_fails(
    docker: Docker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, profile: Callable[..., Path]
) -> None:
    path, plain, file = tmp_path / "why.json", docker.host.argv, profile("mkdir")
    words = [str(SCRIPTS / "seclatch"), "explain", "--json", "-o", str(path), "--"]
    health = ["--health-cmd", "/bin/mkdir /x", "--health-interval", "1s", "--health-retries", "9"]
    with monkeypatch.context() as patch:
        patch.setattr(docker.host, "argv", lambda *more: [*words, *plain(*more)])
        began = time.monotonic()
        done = docker.run("/bin/sleep", "4", profile=file, extra=health)
        assert time.monotonic() - began > 3
    document = json.loads(path.read_text())
    assert done.returncode == document["status"] == 0
    assert (document["seccomp"], document["cause"]) == (True, "program-denied"), document
    fatal = [one for one in document["denials"] if one["fatal"]]
    assert {(one["session"], one["syscall"]) for one in fatal} == {("exec", "mkdir")}
    docker.clear()


@pytest.mark.parametrize("engine", ["docker"], indirect=True)
@pytest.mark.parametrize(
    ("quiet", "words"),
    [
        (False, ("error closing exec fds",)),
        # The second message if containerd has processed the exit already.
        (True, ("cannot start a stopped process", "cannot start a container that has stopped")),
    ],
    ids=["privs", "no_new_privs"],
)
def test_the_engine_s_message_is_shown_beside_the_call(
    engine: Engine, explained: Explain, quiet: bool, words: tuple[str, ...]
) -> None:
    """A strict profile denies many calls; users search the web for one message."""
    found = explained(
        lambda: engine.run("/bin/true", runtime="runc", profile=STRICT, no_new_privs=quiet)
    )
    [message] = [each for each in words if each in found.done.stderr]
    assert found.verdict == (True, "runtime-denied"), found.document
    assert any(message in one["text"] for one in found.document["messages"]), found.document
    [(session, stage, call)] = found.fatal()
    assert (session, stage) == ("start", "filtered-init")
    assert call in {one["syscall"] for one in found.document["needs"]["calls"]}


@pytest.mark.parametrize("engine", ["docker"], indirect=True)
def test_a_kept_recording_names_the_image(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This is the only path that waits for the engine's answers."""
    path, plain = tmp_path / "start.json", engine.host.argv
    words = [str(SCRIPTS / "seclatch"), "explain", "--recording", str(path), "--"]
    with monkeypatch.context() as patch:
        patch.setattr(engine.host, "argv", lambda *more: [*words, *plain(*more)])
        assert engine.run("/bin/sleep", "2").returncode == 0
    assert [image.name for image in recording_file.read_recording(path).images] == [IMAGE]


@pytest.mark.parametrize("engine", ["docker", "podman"], indirect=True)
def test_a_missing_profile_was_not_refused(
    engine: Engine, tmp_path: Path, explained: Explain
) -> None:
    file = tmp_path / "nowhere.json"
    found = explained(lambda: engine.run("/bin/true", runtime="runc", profile=file))
    assert found.done.returncode != 0
    assert found.verdict == (False, "missing-file"), found.document
    assert str(file) in found.document["summary"]
    assert "check" not in json.dumps(found.document["remedies"])


@pytest.mark.parametrize("engine", ["docker", "podman"], indirect=True)
def test_the_program_that_refused_a_profile(
    engine: Engine, tmp_path: Path, explained: Explain
) -> None:
    """The runtime refused it, not the client that prints the error; the given file is named."""
    file = tmp_path / "profile.json"
    file.write_text(json.dumps(denying("write", action="SCMP_ACT_NOTIFY")))
    found = explained(lambda: engine.run("/bin/true", runtime="runc", profile=file))
    assert found.verdict == (True, "profile-refused"), found.document
    assert found.document["summary"].startswith("runc refused"), found.document
    assert found.document["evidence"] == []
    assert found.document["remedies"][-1]["command"][-1] == str(file)


@pytest.mark.parametrize("engine", ["docker"], indirect=True)
def test_a_call_that_also_needs_a_capability(engine: Engine, explained: Explain) -> None:
    """Docker's own profile denies sethostname; with the rule alone the kernel would refuse it."""
    words = ["/bin/busybox", "hostname", "other"]
    found = explained(lambda: engine.run(*words))
    assert found.verdict == (True, "program-denied"), found.document
    option, rule, *_ = found.document["remedies"]
    at = option["command"].index("--cap-add")
    assert option["command"][at + 1] == "SYS_ADMIN"
    assert "CAP_SYS_ADMIN as well" in rule["text"]
    again = engine.run(*words, extra=option["command"][at : at + 2])
    assert again.returncode == 0, again.stderr


UNSEEN = [
    (denying(*VITAL["runc"]), [], ["/bin/true"], "operation not permitted"),
    (denying("mkdir"), [], ["/bin/mkdir", "/x"], "Operation not permitted"),
    (denying("mkdir"), [], ["/bin/cat", "/nowhere"], "No such file"),
    (json.loads(STRICT.read_text()), ["--security-opt", "no-new-privileges"], ["/bin/true"], ""),
]


@pytest.mark.parametrize("address", ["unix", "tcp"])
@pytest.mark.parametrize(("profile", "options", "command", "message"), UNSEEN)
def test_no_verdict_on_an_engine_that_cannot_be_watched(
    docker: Docker,
    tmp_path: Path,
    profile: dict[str, Any],
    options: list[str],
    command: list[str],
    message: str,
    address: str,
) -> None:
    """Run where the engine's processes are invisible.

    The client runs within the engine's pid namespace, as in a container that has its socket, or
    reaches the engine through a proxy, as on another host. Some failures are caused by seccomp, but
    were not recorded.
    """
    file = tmp_path / "profile.json"
    file.write_text(json.dumps(profile))
    words = docker.words(docker.new_name(), {"profile": file, "runtime": "runc"}, command)
    explain = [str(SCRIPTS / "seclatch"), "explain", "--json", "-o", str(tmp_path / "why.json")]
    with relay(docker.host.path(docker.address.removeprefix("unix://"))) as port:
        where = docker.address if address == "unix" else f"tcp://127.0.0.1:{port}"
        asked = [*explain, "--", "docker", "-H", where, "run", "--rm", *options, *words]
        enter = docker.host.argv() if address == "unix" else []
        done = subprocess.run(
            [*enter, *asked], capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode and message in done.stderr
    document = json.loads((tmp_path / "why.json").read_text())
    assert (document["seccomp"], document["cause"]) == (None, "engine-not-seen"), document
    assert not any("no call was denied" in each for each in document["evidence"])


@contextlib.contextmanager
def relay(path: Path) -> Iterator[int]:
    """Run a proxy for a Unix socket; yield the port at which it listens."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.socket(socket.AF_UNIX) as engine:
                engine.connect(str(path))
                back = threading.Thread(target=copy, args=(engine, self.request), daemon=True)
                back.start()
                copy(self.request, engine)
                back.join()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        # looks often for `shutdown`: each half second by default
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while content := source.recv(1 << 16):
            target.sendall(content)
        target.shutdown(socket.SHUT_WR)


# Quotes are escaped in BuildKit's message; the first step does without what it was denied.
BUILD = f"""FROM {IMAGE}
RUN unshare -U true || true
RUN echo "a  step" && \\
    unshare -U true
"""


@pytest.mark.parametrize("kit", ["1", "0"], ids=["buildkit", "before"])
def test_a_step_of_a_build(docker: Docker, tmp_path: Path, kit: str) -> None:
    """Its builder runs the steps of all builds alike; the client's message has this one's words."""
    folder, path = docker.directory / f"build{kit}", tmp_path / "why.json"
    docker.host.path(folder).mkdir()
    docker.host.path(folder / "Dockerfile").write_text(BUILD)
    words = ["docker", "-H", docker.address, "build", "--force-rm", "--network", "none", folder]
    command = docker.host.argv("env", f"DOCKER_BUILDKIT={kit}", *words)
    explain = [str(SCRIPTS / "seclatch"), "explain", "--json", "-o", str(path), "--", *command]
    done = subprocess.run(explain, capture_output=True, text=True, check=False, timeout=90)
    document = json.loads(path.read_text())
    jsonschema.validate(document, SCHEMA)
    assert done.returncode == document["status"] == 1, done.stderr
    assert (document["seccomp"], document["cause"]) == (True, "program-denied"), document
    [denial] = document["denials"]
    assert (denial["syscall"], denial["stage"], denial["fatal"]) == ("unshare", "program", True)
    assert denial["rule"]["profile"] == "the builder's own profile"
    assert "docker commit" in document["remedies"][0]["text"]
