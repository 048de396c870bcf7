"""show, generate, record merge as a user runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from seclatch.model.recording.merge_recordings import merge_recordings
from seclatch.model.recording.origin import ContainerImage
from seclatch.model.recording.recording import (
    ProcessImage,
    RecordedProcess,
    RecordedSession,
    RecordingGap,
)
from seclatch.recording.files import recording_file
from tests.unit.recordings import calls, recording

RUN = "from seclatch.cli.main import main; main()"


def seclatch(*args: str | Path) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "NO_COLOR": "1", "COLUMNS": "200"}
    command = [sys.executable, "-c", RUN, *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, env=env, check=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    image = ProcessImage(time=0, stage="program", exe="/bin/x", argv=["/bin/x", "\x1b[31m[bold]\n"])
    process = RecordedProcess(
        id=0,
        pid=77,
        parent=None,
        session=None,
        began=0,
        ended=1,
        status=0,
        found_running=False,
        images=[image],
    )
    entries = calls("filtered-init", "close execve") + calls("program", "read close", 1234)
    path = tmp_path / "a.recording.json"
    recording_file.write_recording(path, recording(entries, processes=[process]))
    return path


def test_show_by_stage(file: Path) -> None:
    done = seclatch("show", file)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[2] == ["system", "call", "program", "filtered-init"]
    assert ["close", "1,234", "1"] in lines
    assert lines[-1] == ["only", "the", "runtime", "needed", "execve"]


@pytest.mark.parametrize("by", ["stage", "process", "role"])
def test_show_names_gaps(tmp_path: Path, by: str) -> None:
    path = tmp_path / "a.recording.json"
    gaps = [RecordingGap(began=float(t), ended=t + 2.0) for t in range(10, 60, 10)]
    recording_file.write_recording(path, recording(calls("program", "read"), gaps=gaps))
    done = seclatch("show", "--by", by, path)
    assert (done.returncode, done.stderr) == (
        0,
        "seclatch: nothing was recorded from 10.00 s to 12.00 s, from 20.00 s to 22.00 s, "
        "from 30.00 s to 32.00 s and 2 more times, 10.00 s in all: the recorder was restarted\n",
    )


def test_show_refuses_a_gap_at_an_impossible_time(tmp_path: Path) -> None:
    path = tmp_path / "a.recording.json"
    gaps = [RecordingGap(began=0.0, ended=1e308)]
    path.write_bytes(msgspec.json.encode(recording([], gaps=gaps)))
    done = seclatch("show", path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "it has times that no clock has" in done.stderr


def test_exec_sessions_have_a_column_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "sessions.json"
    common: dict[str, Any] = {"parent": None, "began": 0, "ended": 1, "status": 0}
    processes = [
        RecordedProcess(id=n, pid=70 + n, session=n, found_running=False, images=[], **common)
        for n in (0, 1)
    ]
    sessions = [RecordedSession(id=n, container=0, joined=bool(n), process=n) for n in (0, 1)]
    entries = [
        msgspec.structs.replace(each, process=process)
        for process, names in ((0, "read close"), (1, "read mkdir"))
        for each in calls("program", names, 10 + process)
    ]
    made = recording(entries, processes=processes, sessions=sessions)
    recording_file.write_recording(path, made)
    lines = [line.split() for line in seclatch("show", path).stdout.splitlines()]
    assert lines[2:] == [
        ["system", "call", "program", "exec-session"],
        ["close", "10"],
        ["mkdir", "11"],
        ["read", "10", "11"],
    ]
    assert "3 different ones" in seclatch("show", path).stdout
    tree = seclatch("show", "--by", "process", path).stdout.splitlines()
    assert [line.endswith("exec session") for line in tree] == [False, False, True]
    document = json.loads(seclatch("show", "--json", path).stdout)
    assert [row["name"] for row in document["exec_sessions"]["calls"]] == ["mkdir", "read"]
    assert len(document["stage"]["program"]["calls"]) == 3  # all of them, as ever


@pytest.mark.parametrize("columns", ["40", "80", "200"])
def test_show_cuts_no_name_at_any_width(columns: str, file: Path) -> None:
    """Into a pipe, too: no name of a call or stage is cut."""
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": columns}
    done = subprocess.run(
        [sys.executable, "-c", RUN, "show", file],
        capture_output=True,
        text=True,
        env=env,
        check=True,
    )
    assert "…" not in done.stdout
    summary, blank, head, *rows = done.stdout.splitlines()
    assert (
        summary == "runc run x: 2,470 calls; the program's: 2 different ones; only the runtime's: 1"
    )
    assert (blank, head.split()) == ("", ["system", "call", "program", "filtered-init"])
    assert rows[0].split() == ["close", "1,234", "1"]


@pytest.mark.parametrize("command", ["show", "report", "generate"])
@pytest.mark.parametrize("config", [False, True])
def test_a_profile_in_place_of_a_recording(command: str, config: bool, tmp_path: Path) -> None:
    profile: dict[str, Any] = {"defaultAction": "SCMP_ACT_ERRNO"}
    file = tmp_path / "strict.json"
    file.write_text(json.dumps({"linux": {"seccomp": profile}} if config else profile))
    done = seclatch(command, file)
    assert (done.returncode, done.stdout) == (2, "")
    assert "not a recording, but a profile" in done.stderr
    assert "report --profile FILE" in done.stderr


def test_show_by_process_escapes_hostile_text(file: Path) -> None:
    done = seclatch("show", "--by", "process", file)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert r"\x1b[31m[bold]\n" in done.stdout
    assert "77" in done.stdout


@pytest.mark.parametrize("command", [["show"], ["generate"], ["report", "--text"]])
def test_a_recording_from_a_pipe(command: list[str], file: Path) -> None:
    def run(script: str) -> subprocess.CompletedProcess[str]:
        words = ["sh", "-c", script, str(file), sys.executable, "-c", RUN, *command, "-"]
        env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "COLUMNS": "200"}
        return subprocess.run(words, env=env, capture_output=True, text=True, check=False)

    piped, closed = run('cat "$0" | "$@"'), run('"$@" <&-')
    assert (piped.returncode, piped.stdout) == (0, seclatch(*command, file).stdout)
    assert (closed.returncode, closed.stderr) == (2, "seclatch: -: standard input is closed\n")


@pytest.mark.parametrize(
    "words",
    [
        ["show"],
        ["show", "--json"],
        ["report", "--text"],
        ["report", "-o", "-"],
        ["record", "merge", "-o", "-"],
        ["completion", "bash"],
        ["doctor"],
    ],
    ids=" ".join,
)
def test_a_closed_output(words: list[str], file: Path) -> None:
    command = [sys.executable, "-c", RUN, *words]
    if words[0] in ("show", "report", "record"):
        command.append(str(file))
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    closed = ["sh", "-c", 'exec "$@" >&-', "sh", *command]
    done = subprocess.run(closed, env=env, capture_output=True, text=True, check=False)
    assert done.returncode in (2, 125)
    assert "standard output is closed" in done.stderr or "Bad file descriptor" in done.stderr


def test_a_closed_error_output(file: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", RUN, "record", "merge", "-o", tmp_path / "all.json", file]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    closed = ["sh", "-c", 'exec "$@" 2>&-', "sh", *command]
    assert subprocess.run(closed, env=env, check=False).returncode == 0
    assert recording_file.read_recording(tmp_path / "all.json").runs == 1


@pytest.mark.parametrize("by", ["stage", "process"])
def test_show_json(file: Path, by: str) -> None:
    document = json.loads(seclatch("show", "--json", "--by", by, file).stdout)
    assert document["schema"] == 1
    assert document["only_runtime"] == ["execve"]
    assert {"name": "read", "arch": "x86_64", "count": 1234} in (
        document[by]["program" if by == "stage" else "0"]["calls"]
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["generate", "--policy", "static"], "--policy is of no use without --scan FILE"),
        (["generate", "--differences"], "--differences is of no use without --scan FILE"),
        (["report", "--text", "--open"], "there is none with --format text"),
        (["report", "--text", "--json"], "--json and --card exclude each other"),
    ],
)
def test_options_without_effect_are_refused(words: list[str], message: str, file: Path) -> None:
    done = seclatch(*words, file)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


def test_merge_and_generate(file: Path, tmp_path: Path) -> None:
    merged = tmp_path / "merged.json.gz"
    assert seclatch("record", "merge", "-o", merged, file, file).returncode == 0
    assert recording_file.read_recording(merged).runs == 2
    done = seclatch("generate", merged)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["syscalls"][0]["names"] == ["close", "read"]


def test_an_invalid_file(tmp_path: Path, file: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text("{")
    for words in (
        ["show", bad],
        ["generate", file, bad],
        ["record", "merge", "-o", bad, file, bad],
    ):
        done = seclatch(*words)
        assert (done.returncode, done.stdout) == (2, "")
        assert str(bad) in done.stderr
        assert "Traceback" not in done.stderr
    assert bad.read_text() == "{"


def test_a_recording_without_a_program(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    recording_file.write_recording(path, recording(calls("client", "read")))
    done = seclatch("generate", path)
    assert done.returncode == 2
    assert "no call of stage program" in done.stderr


def test_recordings_are_merged_by_image(tmp_path: Path) -> None:
    files = []
    for number, digest in enumerate(["sha256:1", "sha256:1", "sha256:../2", ""]):
        images = [ContainerImage(name=f"n{number}", digest=digest)] if digest else []
        files.append(tmp_path / f"{number}.json")
        recording_file.write_recording(
            files[-1], recording(calls("program", "read"), images=images)
        )
    refused = seclatch("record", "merge", "-o", tmp_path / "all.json", *files)
    assert (refused.returncode, refused.stdout) == (125, "")
    assert "of 3 images" in refused.stderr
    assert not (tmp_path / "all.json").exists()
    into = tmp_path / "into"
    assert seclatch("record", "merge", "--into", into, *files).returncode == 0
    runs = sorted(recording_file.read_recording(each).runs for each in into.iterdir())
    assert runs == [1, 1, 2]
    assert recording_file.read_recording(into / "1.recording.json.gz").runs == 2
    assert all(each.parent == into for each in into.rglob("*"))


def test_each_group_of_container_names_has_a_file_of_its_own(tmp_path: Path) -> None:
    """A recording may be of several containers, and a container be called `a-b`."""
    long = ["x" * 63, "y" * 63]
    files = []
    for number, names in enumerate([["a", "b"], ["a-b"], long, [*long, "z"], []]):
        files.append(tmp_path / f"{number}.json")
        recording_file.write_recording(
            files[-1], recording(calls("program", "read"), container_names=names)
        )
    refused = seclatch("record", "merge", "-o", tmp_path / "all.json", *files).stderr
    assert "outside of pods (unknown image)" in refused
    assert "--any-container, if all belong together" in refused
    done = seclatch("record", "merge", "--any-container", "-o", tmp_path / "all.json", *files)
    assert done.returncode == 0, done.stderr
    assert recording_file.read_recording(tmp_path / "all.json").runs == len(files)
    into = tmp_path / "into"
    assert seclatch("record", "merge", "--into", into, *files).returncode == 0
    found = [recording_file.read_recording(each).container_names for each in into.iterdir()]
    assert sorted(found) == sorted([["a", "b"], ["a-b"], long, [*long, "z"], []])


def test_parts_give_what_the_whole_gives(tmp_path: Path) -> None:
    files = [tmp_path / f"{number}.json" for number in range(600)]
    for number, file in enumerate(files):
        recording_file.write_recording(file, recording(calls("program", "read", number + 1)))
    merged = tmp_path / "merged.json"
    assert seclatch("record", "merge", "-o", merged, *files).returncode == 0
    assert recording_file.read_recording(merged) == merge_recordings(
        recording_file.read_recording(each) for each in files
    )


def test_a_bad_file_among_many_is_named(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    recording_file.write_recording(good, recording(calls("program", "read")))
    bad.write_text("{")
    done = seclatch("record", "merge", "-o", tmp_path / "x.json", *[good] * 400, bad, *[good] * 200)
    assert (done.returncode, done.stdout) == (2, "")
    assert str(bad) in done.stderr
    assert "Traceback" not in done.stderr


def test_an_empty_name_is_refused(tmp_path: Path) -> None:
    done = seclatch("record", "flush", "--record-dir", str(tmp_path), "")
    assert (done.returncode, "NAME is empty" in done.stderr) == (2, True)


def test_generate_for_another_architecture_too(tmp_path: Path) -> None:
    path = tmp_path / "a.recording.json"
    recording_file.write_recording(path, recording(calls("program", "read open fork", 1234)))
    done = seclatch("generate", "--also", "aarch64", path)
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert [each["architecture"] for each in made["archMap"]] == [
        "SCMP_ARCH_X86_64",
        "SCMP_ARCH_AARCH64",
    ]
    arm = {name for rule in made["syscalls"] if rule.get("includes") for name in rule["names"]}
    assert {"openat", "clone", "read", "uname"} <= arm
    assert "replaced: open → openat" in done.stderr
    for words in (["--also", "vax"], ["--also", "x86_64"], ["--also", "arm64", "--format", "oci"]):
        done = seclatch("generate", *words, path)
        assert (done.returncode, done.stdout) == (2, "")
