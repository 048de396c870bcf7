"""`seclatch explain` as a user runs it: output streams, statuses, errors."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from importlib import resources
from pathlib import Path

import jsonschema
import pytest

from seclatch.model.explanation import make_schema
from tests.explain.conftest import SCHEMA, SECLATCH

pytestmark = pytest.mark.root
STRICT = Path(__file__).parent.parent / "data" / "stali-like.json"


def run(*words: str, input: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SECLATCH, "explain", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        input=input,
    )


def test_input_output_and_status_are_the_command_s() -> None:
    done = run("--", "sh", "-c", "cat; echo told >&2; exit 7", input="given\n")
    assert (done.returncode, done.stdout) == (7, "given\n")
    first, *rest = done.stderr.splitlines()
    assert first == "told"
    assert rest[0].startswith("not seccomp: ")


def test_no_verdict_on_unrecorded_processes() -> None:
    done = run("--json", "--seconds", "0.3", "--", "sh", "-c", "sleep 1; exit 7")
    document = json.loads(done.stderr)
    assert (done.returncode, document["seccomp"], document["cause"]) == (7, None, "unknown")


PODMAN_REMOTE = """#!/usr/bin/python3
import os, socket, sys
client = socket.socket(socket.AF_UNIX)
client.connect(sys.argv[1])
os.write(client.fileno(), b"POST /v5.4.2/libpod/containers/create HTTP/1.1")
sys.exit("Error: mkdir: Operation not permitted")
"""


def test_a_podman_service_that_is_not_visible(tmp_path: Path) -> None:
    """Podman's service may be set in its environment: only its messages show the connection."""
    podman = tmp_path / "podman"
    podman.write_text(PODMAN_REMOTE)
    podman.chmod(0o755)
    alone = ["unshare", "--pid", "--fork", "--mount-proc"]
    with socket.socket(socket.AF_UNIX) as service:
        service.bind(str(tmp_path / "socket"))
        service.listen()
        done = subprocess.run(
            [*alone, SECLATCH, "explain", "--json", "--", podman, service.getsockname(), "run"],
            capture_output=True,
            text=True,
            check=False,
        )
    document = json.loads(done.stderr[done.stderr.index("{") :])
    assert (document["seccomp"], document["cause"]) == (None, "engine-not-seen"), document


def test_a_file_gets_the_explanation_and_stderr_nothing(tmp_path: Path) -> None:
    file = tmp_path / "why"
    done = run("-o", str(file), "--", "false")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
    assert file.read_text().startswith("not seccomp: false ended with status 1")


def test_the_recording_can_be_kept_and_shown(tmp_path: Path) -> None:
    file = tmp_path / "start.json"
    tried = run("--recording", str(file), "--profile", str(STRICT), "--runtime", "crun")
    assert tried.returncode == 1
    shown = subprocess.run(
        [SECLATCH, "report", "--json", file], capture_output=True, check=True, timeout=60
    )
    [start] = json.loads(shown.stdout)["starts"]
    assert (start["runtime"], start["outcome"]) == ("crun", "refused")
    done = run("--json", "--recording", str(file), "--", "sh", "-c", "exit 7")
    assert done.returncode == 7
    jsonschema.validate(json.loads(done.stderr), SCHEMA)
    assert json.loads(file.read_text())["commands"] == [["sh", "-c", "exit 7"]]


def test_a_recording_that_cannot_be_kept(tmp_path: Path) -> None:
    done = run("--recording", str(tmp_path / "none" / "x"), "--", "touch", str(tmp_path / "ran"))
    assert done.returncode not in (0, 1)
    assert "cannot be written" in done.stderr
    assert not (tmp_path / "ran").exists()


def test_json_is_one_document_on_stderr() -> None:
    done = run("--json", "--", "true")
    document = json.loads(done.stderr)
    jsonschema.validate(document, SCHEMA)
    assert (document["schema"], document["seccomp"]) == ("seclatch.explain/1", False)


def test_the_shipped_schema_is_that_of_the_types() -> None:
    shipped = resources.files("seclatch.data").joinpath("schemas/explain-1.json").read_text()
    assert json.loads(shipped) == make_schema()


@pytest.mark.parametrize(("word", "status"), [("/nowhere/at/all", 127), ("/etc/passwd", 126)])
def test_an_invalid_command(word: str, status: int) -> None:
    done = run("--", word)
    assert (done.returncode, done.stdout) == (status, "")
    assert "Traceback" not in done.stderr


def test_either_a_command_or_a_profile() -> None:
    for words in ([], ["--profile", str(STRICT), "--", "true"]):
        done = run(*words)
        assert done.returncode == 2
        assert "give one of: a command, --profile" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--runtime", "crun", "--", "true"], "--runtime is of no use without --profile FILE"),
        (["--no-new-privs", "--", "true"], "--no-new-privs is of no use without --profile FILE"),
        (["--seconds", "1", "--profile", str(STRICT)], "--seconds is of no use without a command"),
        (["--seconds", "nan", "--", "true"], "--seconds: not a number"),
    ],
)
def test_an_option_without_effect_is_refused(words: list[str], message: str) -> None:
    done = run(*words)
    assert done.returncode == 2
    assert message in done.stderr


@pytest.mark.parametrize("other", ["why", "../{}/why"])
def test_one_file_cannot_hold_both(tmp_path: Path, other: str) -> None:
    file, recording = tmp_path / "why", tmp_path / other.format(tmp_path.name)
    done = run("-o", str(file), "--recording", str(recording), "--", "touch", str(tmp_path / "ran"))
    assert done.returncode == 2
    assert "not both" in done.stderr
    assert not (tmp_path / "ran").exists()


def test_link_loops_and_files_that_keep_nothing(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    loop = str(tmp_path / "loop")
    assert "not both" in run("-o", loop, "--recording", loop, "--", "true").stderr
    done = run("-o", "/dev/null", "--recording", "/dev/null", "--", "sh", "-c", "exit 7")
    assert (done.returncode, done.stderr) == (7, "")


@pytest.mark.parametrize("option", ["-o", "--recording"])
@pytest.mark.parametrize("form", [[], ["--json"]])
@pytest.mark.parametrize("status", [0, 7])
def test_a_full_disk_changes_no_status(option: str, form: list[str], status: int) -> None:
    done = run(*form, option, "/dev/full", "--", "sh", "-c", f"exit {status}")
    assert done.returncode == status
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_message_alone_is_no_evidence() -> None:
    """A message about a call that no recorded process issued, for example from another host."""
    script = "import sys; sys.exit('x: Operation not permitted')"
    done = run("--json", "--", sys.executable, "-c", script)
    document = json.loads(done.stderr.partition("\n")[2])
    assert (document["seccomp"], document["cause"]) == (None, "unknown"), document


@pytest.mark.parametrize("runtime", ["runc", "crun"])
def test_a_profile_alone_is_tried(runtime: str) -> None:
    done = run("--profile", str(STRICT), "--runtime", runtime, "--json")
    document = json.loads(done.stdout)
    jsonschema.validate(document, SCHEMA)
    assert (done.returncode, document["seccomp"]) == (1, True)
    assert document["cause"] == "runtime-denied"
    assert "close" in {one["syscall"] for one in document["needs"]["calls"]}


@pytest.mark.parametrize("redirection", ["- < {}", "<(cat {})"])
def test_a_profile_comes_by_a_pipe(redirection: str) -> None:
    script = f"{SECLATCH} explain --json --runtime crun --profile {redirection.format(STRICT)}"
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert json.loads(done.stdout)["cause"] == "runtime-denied", done.stderr


def test_a_profile_that_does_not_exist() -> None:
    done = run("--profile", "/nowhere.json")
    assert done.returncode == 2
    assert "/nowhere.json" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unwritable_file_is_reported_before_the_start(tmp_path: Path) -> None:
    done = run("-o", str(tmp_path / "nowhere" / "x"), "--", "touch", str(tmp_path / "ran"))
    assert done.returncode == 125
    assert "no such directory" in done.stderr
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-"])
def test_a_closed_stderr_changes_no_status(redirection: str) -> None:
    script = f"{SECLATCH} explain -- sh -c 'exit 7' {redirection}"
    assert subprocess.run(["sh", "-c", script], check=False, timeout=60).returncode == 7


def test_a_full_disk_is_an_error_for_a_profile() -> None:
    script = f"{SECLATCH} explain --profile {STRICT} > /dev/full"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode not in (0, 1)
    assert "Traceback" not in done.stderr


def test_without_privilege_it_names_the_missing_ones() -> None:
    words = ["setpriv", "--bounding-set=-bpf,-perfmon,-sys_admin", "--inh-caps=-all"]
    done = subprocess.run(
        [*words, SECLATCH, "explain", "--", "true"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 125
    assert "CAP_BPF and CAP_PERFMON" in done.stderr
    assert "Traceback" not in done.stderr
