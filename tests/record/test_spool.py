"""The spool of annotated recordings: its recorder, names and limits."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from seclatch.errors import SeclatchError
from seclatch.model.recorder_limits import RecorderLimits
from seclatch.recording.annotated.annotation import AnnotationRequest
from seclatch.recording.annotated.spool import RecordingSpool, SpoolLimitError

WISH = AnnotationRequest("web", "3f4c8a")
LOCK = """
import sys
from seclatch.model.recorder_limits import RecorderLimits
from seclatch.recording.annotated.spool import RecordingSpool
lock = RecordingSpool(RecorderLimits(directory=sys.argv[1])).lock("/run/x.sock")
print("locked", flush=True)
sys.stdin.read()
"""


def make_spool(folder: Path, **limits: int) -> RecordingSpool:
    return RecordingSpool(RecorderLimits(directory=str(folder), **limits))


def test_one_recorder_writes_to_a_directory_until_it_ends(tmp_path: Path) -> None:
    spool = make_spool(tmp_path)
    assert spool.find_owner() is None
    words = [sys.executable, "-c", LOCK, str(tmp_path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout and process.stdout.readline() == b"locked\n"
        owner = spool.find_owner()
        assert owner and (owner.pid, owner.socket) == (process.pid, "/run/x.sock")
        with pytest.raises(SeclatchError, match="another recorder writes to it"):
            spool.lock("/run/y.sock")
        process.kill()
    assert spool.find_owner() is None
    os.close(spool.lock("/run/y.sock"))


def test_a_disk_that_takes_no_byte_ends_no_recorder(tmp_path: Path) -> None:
    """By a limit on the size of files, which makes writing fail as a full disk does."""
    limited = f"import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n{LOCK}"
    words = [sys.executable, "-c", limited, str(tmp_path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout and process.stdout.readline() == b"locked\n"
        with pytest.raises(SeclatchError, match="another recorder writes to it"):
            make_spool(tmp_path).lock("/run/y.sock")
        process.kill()
    os.close(make_spool(tmp_path).lock("/run/y.sock"))


def test_names_are_unique_before_their_files_exist(tmp_path: Path) -> None:
    spool, running = make_spool(tmp_path), list[str]()
    for _ in range(20):
        running.append(spool.choose_path(WISH, running).name)
    assert len(set(running)) == 20
    assert all(name.startswith("web-3f4c8a-") for name in running)
    assert spool.list_recordings() == []


def test_limits_count_recordings_with_and_without_a_file(tmp_path: Path) -> None:
    spool = make_spool(tmp_path, recordings=3, at_once=2)
    (tmp_path / "older.json.gz").touch()
    first = spool.choose_path(WISH, [])
    second = spool.choose_path(WISH, [first.name])
    with pytest.raises(SpoolLimitError, match="2 containers are being recorded already"):
        spool.choose_path(WISH, [first.name, second.name])
    first.touch()
    second.touch()
    with pytest.raises(SpoolLimitError, match="there are 3 recordings already"):
        spool.choose_path(WISH, [])


def test_room_is_counted_while_recordings_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = make_spool(tmp_path, size=10)
    gone, there = tmp_path / "a.recording.json.gz", tmp_path / "b.recording.json.gz"
    there.write_bytes(bytes(6))
    monkeypatch.setattr(RecordingSpool, "list_recordings", lambda _: [gone, there])
    spool.require_room(tmp_path / "c.recording.json.gz", 4)
    with pytest.raises(SpoolLimitError, match="11 bytes"):
        spool.require_room(tmp_path / "c.recording.json.gz", 5)
