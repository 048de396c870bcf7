"""The pytest plugin with real engines: what a suite's containers did, and profiles against it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from seclatch.model.recording.recording import Recording
from seclatch.recording.files import recording_file
from tests.engines.docker import Docker
from tests.engines.engine import IMAGE, Engine
from tests.engines.podman import Podman
from tests.engines.test_record import client_words

pytest_plugins = ["pytester"]

SHELL = ("/bin/sh", "-c")
RULE = '{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}'
PROFILES = {
    "loose.json": '{"defaultAction": "SCMP_ACT_ALLOW"}',
    "tight.json": f'{{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{RULE}]}}',
}

# One container is that of a fixture, started within the first test that uses it.
SUITE = """
import json
import pathlib
import subprocess
import pytest

WORDS = json.loads(pathlib.Path("words.json").read_text())

@pytest.fixture(scope="module")
def made():
    return subprocess.run(WORDS["mkdir"], capture_output=True, text=True, timeout=60)

def test_it_makes_a_directory(made):
    assert made.returncode == 0, made.stderr

def test_it_sleeps():
    assert subprocess.run(WORDS["sleep"], timeout=60).returncode == 0
"""

# A client of another kind, as Docker's library for Python: it writes to the daemon's socket itself.
LIBRARY = """
import http.client
import json
import pathlib
import socket

class Connection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(json.loads(pathlib.Path("socket.json").read_text()))

def ask(path, value=None):
    connection = Connection("localhost")
    connection.request("POST", path, json.dumps(value or {}), {"Content-Type": "application/json"})
    return json.loads(connection.getresponse().read() or "null")

def test_by_the_api():
    group = json.loads(pathlib.Path("group.json").read_text())
    options = {"NetworkMode": "none", "CgroupParent": group}
    command = ["/bin/sh", "-c", "mkdir /tmp/new && sleep 1"]
    made = ask("/containers/create", {"Image": "%s", "Cmd": command, "HostConfig": options})
    ask(f"/containers/{made['Id']}/start")
    assert ask(f"/containers/{made['Id']}/wait")["StatusCode"] == 0
"""


def write_suite(engine: Engine, pytester: pytest.Pytester, patch: pytest.MonkeyPatch) -> None:
    commands = {"mkdir": "mkdir /tmp/new && sleep 1", "sleep": "sleep 1"}
    words = {
        name: engine.host.argv(*client_words(engine, patch, *SHELL, command))
        for name, command in commands.items()
    }
    (pytester.path / "words.json").write_text(json.dumps(words))
    pytester.makepyfile(test_web=SUITE)
    write_profiles(pytester)


def write_profiles(pytester: pytest.Pytester) -> None:
    for name, text in PROFILES.items():
        (pytester.path / name).write_text(text)


def read_recordings(pytester: pytest.Pytester) -> dict[str, Recording]:
    files = sorted((pytester.path / "recordings").iterdir())
    return {file.name: recording_file.read_recording(file) for file in files}


def list_calls(recording: Recording) -> set[str]:
    return {call.name for call in recording.calls if call.stage == "program"}


@pytest.mark.parametrize("name", ["docker", "podman"])
def test_a_suite_is_recorded_by_image(
    name: str,
    request: pytest.FixtureRequest,
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine: Docker | Podman = request.getfixturevalue(name)
    write_suite(engine, pytester, monkeypatch)
    profiles = ["--seclatch-profile=loose.json", "--seclatch-profile=busybox=tight.json"]
    done = pytester.runpytest_subprocess("--seclatch-record=recordings", *profiles)
    done.assert_outcomes(passed=2)
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    ((file, recording),) = read_recordings(pytester).items()
    assert file == "seclatch.test-busybox-latest.recording.json.gz"
    assert recording.runs == 2
    calls = list_calls(recording)
    assert {"mkdir", "mkdirat"} & calls
    assert len(calls) < 60 and not {"epoll_wait", "socket"} & calls, "of containers, not of clients"
    assert {"runtime", "init"} < {call.stage for call in recording.calls}
    done.stderr.fnmatch_lines(
        [
            f"*recorded 2 containers of {IMAGE}: * system calls, in recordings/{file}",
            f"*tight.json does not fit {IMAGE}: it denies",
            "*  mkdir, of a container started in test_web.py::test_it_makes_a_directory",
        ]
    )
    done.stderr.no_fnmatch_line("*loose.json*")
    done.stderr.no_fnmatch_line("*test_it_sleeps*")


def test_two_workers(
    docker: Docker, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_suite(docker, pytester, monkeypatch)
    (pytester.path / "pytest.ini").write_text(
        "[pytest]\nseclatch_record = recordings\nseclatch_profile = busybox:latest=loose.json\n"
    )
    done = pytester.runpytest_subprocess("-n", "2")
    done.assert_outcomes(passed=2)
    assert done.ret == pytest.ExitCode.OK, done.stderr.str()
    (recording,) = read_recordings(pytester).values()
    assert recording.runs == 2


def test_a_client_that_is_a_library(docker: Docker, pytester: pytest.Pytester) -> None:
    write_profiles(pytester)
    socket = docker.host.path(f"{docker.directory}/docker.sock")
    (pytester.path / "socket.json").write_text(json.dumps(str(socket)))
    (pytester.path / "group.json").write_text(json.dumps(f"/{docker.host.group}"))
    pytester.makepyfile(test_api=LIBRARY % IMAGE)
    done = pytester.runpytest_subprocess("--seclatch-profile=tight.json")
    done.assert_outcomes(passed=1)
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    done.stderr.fnmatch_lines(["*  mkdir, of a container started in test_api.py::test_by_the_api"])


def test_what_is_left_running_does_not_keep_the_recorder(
    docker: Docker, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = client_words(docker, monkeypatch, "/bin/sleep", "1000")
    words.insert(words.index("--rm"), "--detach")
    (pytester.path / "words.json").write_text(json.dumps({"sleep": docker.host.argv(*words)}))
    pytester.makepyfile(test_web=SUITE)
    done = pytester.runpytest_subprocess("--seclatch-record=recordings", "-k", "sleeps")
    done.assert_outcomes(passed=1, deselected=1)
    assert done.ret == pytest.ExitCode.OK
    (recording,) = read_recordings(pytester).values()
    assert "execve" not in list_calls(recording) and list_calls(recording)
    docker.clear()


@pytest.mark.parametrize(
    ("profile", "message"),
    [
        ("nginx=loose.json", "loose.json was not checked: no container of nginx was recorded"),
        ("loose.json", "loose.json was not checked: no container was recorded"),
    ],
)
def test_what_cannot_be_checked_fails(
    pytester: pytest.Pytester, profile: str, message: str
) -> None:
    write_profiles(pytester)
    pytester.makepyfile("def test_nothing(): pass")
    done = pytester.runpytest_subprocess("--seclatch-profile", profile)
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    done.stderr.fnmatch_lines([f"*{message}*"])


def test_a_failing_suite_keeps_its_status(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("import sys\ndef test_it(): sys.exit(0)\ndef test_other(): assert 0")
    done = pytester.runpytest_subprocess("--seclatch-record=recordings")
    done.assert_outcomes(failed=2)
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    assert pytester.runpytest_subprocess("--seclatch-record=x", "none.py").ret == 4


def test_without_privileges_nothing_is_run(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("import pathlib\ndef test_it(): pathlib.Path('ran').touch()")
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--seclatch-record=/tmp"]
    done = run_unprivileged(words, pytester.path)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR, done.stdout
    assert "seclatch: " in done.stderr and "what to do: " in done.stderr
    assert not (pytester.path / "ran").exists()


def run_unprivileged(words: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
