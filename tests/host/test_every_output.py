"""Every verb on a narrow ASCII terminal, on a wide one, and into a pipe without a reader."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from seclatch.recording.files import recording_file
from tests.unit.profile.amendments import line
from tests.unit.report.starts import start

PROFILE = Path(__file__).parents[1] / "data" / "stali-like.json"

# Verb → its arguments; FILE, RECORDING, PROGRAM and ROOT stand for files of a fixture.
VERBS = {
    "help": "run --help",
    "run": "run --rootfs ROOT --profile FILE --dry-run -- true",
    "show": "show RECORDING",
    "show by process": "show --by process RECORDING",
    "generate": "generate RECORDING",
    "amend": "amend FILE --from RECORDING --dry-run",
    "amend by a log": "amend FILE --watch-log LOG --dry-run",
    "audit": "profile audit FILE",
    "report": "report --text --profile FILE RECORDING",
    "install": "install docker --root ROOT --dry-run",
    "uninstall": "uninstall docker --root ROOT --dry-run",
    "install watch": "install watch --root ROOT --dry-run",
    "uninstall watch": "uninstall watch --root ROOT --dry-run",
    "ps": "ps --no-engines --no-filters --flat --pid PID",
    "scan": "scan --entrypoint /usr/bin/true /",
    "check": "profile check FILE",
    "resolve": "profile resolve FILE",
    "score": "profile score FILE",
    "diff": "profile diff --runtime crun FILE FILE",
    "merge": "profile merge FILE FILE",
    "convert": "profile convert --to kubernetes FILE",
    "test": "profile test FILE mkdir()",
    "disassemble": "filter disassemble PROGRAM",
    "decompile": "filter decompile PROGRAM",
    "push": "push FILE localhost:1/web:1 --dry-run",
    "kubernetes manifest": "kubernetes manifest",
    "kubernetes plugin": "kubernetes plugin",
    "completion": "completion bash",
}
PRIVILEGED = {
    "apply": "apply --profile FILE -- busybox true",
    "doctor": "doctor",
    "explain": "explain --profile FILE",
    "filter": "filter PID",
    "record": "record -o OUTPUT -- true",
    "watch": "watch --seconds 0.1",
    "tighten": "tighten SLEEPER --profile OPEN --now --dry-run",
}


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    folder = tmp_path_factory.mktemp("places")
    recording_file.write_recording(folder / "start.json", start(latched=True))
    (folder / "usr/sbin").mkdir(parents=True)
    (folder / "etc/systemd/system/multi-user.target.wants").mkdir(parents=True)
    for name in ("usr/sbin/runc", "usr/sbin/dockerd"):
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    (folder / "denials.log").write_bytes(line("mkdirat") + line("bpf", 5) + line("execve"))
    program = folder / "program.bpf"
    subprocess.run(
        [sys.executable, "-m", "seclatch", "profile", "compile", PROFILE, "-o", program], check=True
    )
    opened = folder / "open.json"
    opened.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": []}))
    sleeper = subprocess.Popen(["sleep", "600"])
    yield {
        "OPEN": str(opened),
        "SLEEPER": str(sleeper.pid),
        "FILE": str(PROFILE),
        "RECORDING": str(folder / "start.json"),
        "PROGRAM": str(program),
        "LOG": str(folder / "denials.log"),
        "ROOT": str(folder),
        "OUTPUT": str(folder / "new.json"),
        "PID": str(os.getpid()),
    }
    sleeper.kill()
    sleeper.wait()


def seclatch(
    words: str, places: dict[str, str], stdout: int = subprocess.PIPE, **environment: str
) -> subprocess.CompletedProcess[bytes]:
    line = [places.get(word, word) for word in words.split()]
    env = {**os.environ, "NO_COLOR": "1", **environment}
    return subprocess.run(
        [sys.executable, "-m", "seclatch", *line],
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=env,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def check_everywhere(words: str, places: dict[str, str]) -> None:
    wide = seclatch(words, places, COLUMNS="200", PYTHONIOENCODING="utf-8")
    narrow = seclatch(words, places, COLUMNS="40", PYTHONIOENCODING="ascii:strict")
    for done in (wide, narrow):
        assert done.returncode in (0, 1), done.stderr.decode()
        assert b"Traceback" not in done.stderr and b"internal error" not in done.stderr
    assert wide.returncode == narrow.returncode
    shown = narrow.stdout + narrow.stderr
    assert shown.isascii()
    assert rb"\u2" not in shown, "a sign without an ASCII one in its place"
    read, write = os.pipe()
    os.close(read)
    unread = seclatch(words, places, stdout=write)
    os.close(write)
    assert unread.returncode in (0, 1, 141)
    assert b"Traceback" not in unread.stderr and b"Exception ignored" not in unread.stderr
    assert b"internal error" not in unread.stderr


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_is_readable_everywhere(verb: str, places: dict[str, str]) -> None:
    check_everywhere(VERBS[verb], places)


@pytest.mark.root
@pytest.mark.parametrize("verb", PRIVILEGED)
def test_a_verb_that_needs_root_is_readable_everywhere(verb: str, places: dict[str, str]) -> None:
    check_everywhere(PRIVILEGED[verb], places)


@pytest.mark.parametrize("verb", ["show", "scan", "report"])
def test_no_name_is_cut_at_forty_columns(verb: str, places: dict[str, str]) -> None:
    """All words of the wide output are in the narrow one."""
    outputs = [
        seclatch(VERBS[verb], places, COLUMNS=columns).stdout.decode() for columns in ("200", "40")
    ]
    if verb == "report":  # its charts have less room
        outputs = [text.partition("System calls by stage")[2] for text in outputs]
    wide, narrow = (set(text.split()) for text in outputs)
    assert wide and wide <= narrow
