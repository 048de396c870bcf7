"""The spool of annotated recordings: slots, names and limits, with real processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from seclatch.model.recorder_limits import RecorderLimits
from seclatch.recording.annotated.annotation import AnnotationRequest
from seclatch.recording.annotated.spool import RecordingSpool, SpoolLimitError

WISH = AnnotationRequest("web", "3f4c8a")
CLAIM = """
import sys
from seclatch.model.recorder_limits import RecorderLimits
from seclatch.recording.annotated.annotation import AnnotationRequest
from seclatch.recording.annotated.spool import RecordingSpool, SpoolLimitError
limits = RecorderLimits(directory=sys.argv[1], recordings=int(sys.argv[2]), at_once=16)
spool = RecordingSpool(limits)
print("ready", flush=True)
sys.stdin.readline()
try:
    slot, path = spool.claim_slot(AnnotationRequest("web", "3f4c8a"))
    print(path.name, flush=True)
except SpoolLimitError as error:
    print("refused", error, flush=True)
sys.stdin.read()
"""


def claimants(folder: Path, limit: int, number: int) -> list[subprocess.Popen[str]]:
    words = [sys.executable, "-c", CLAIM, str(folder), str(limit)]
    started = [
        subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(number)
    ]
    assert [read_line(process) for process in started] == ["ready"] * number
    return started


def read_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().rstrip()


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.write("\n")
    process.stdin.flush()


def end(processes: list[subprocess.Popen[str]]) -> None:
    for each in processes:
        each.kill()
        each.communicate()


def test_concurrent_recorders_keep_the_limit_and_get_unique_names(tmp_path: Path) -> None:
    for limit in (1, 3):
        started = claimants(tmp_path, limit, 8)
        for process in started:
            go(process)
        answers = [read_line(process) for process in started]
        names = {answer for answer in answers if not answer.startswith("refused")}
        assert len(names) == limit
        assert sum("recordings already" in answer for answer in answers) == 8 - limit
        assert len(RecordingSpool(RecorderLimits(directory=str(tmp_path))).list_running()) == limit
        end(started)


def test_dead_recorder_frees_its_slot_and_leaves_no_file(
    tmp_path: Path,
) -> None:
    [first] = claimants(tmp_path, 1, 1)
    go(first)
    assert read_line(first).startswith("web-3f4c8a-")
    spool = RecordingSpool(RecorderLimits(directory=str(tmp_path), recordings=1))
    assert [slot.pid for slot in spool.list_running()] == [first.pid]
    assert spool.list_recordings() == []
    with pytest.raises(SpoolLimitError):
        spool.claim_slot(WISH)
    end([first])
    assert spool.list_running() == []
    slot, path = spool.claim_slot(WISH)
    path.write_text("{}")
    os.close(slot)
    with pytest.raises(SpoolLimitError):
        spool.claim_slot(WISH)


LOOK = """
import sys
from seclatch.model.recorder_limits import RecorderLimits
from seclatch.recording.annotated.spool import RecordingSpool
spool = RecordingSpool(RecorderLimits(directory=sys.argv[1]))
print("ready", flush=True)
while True:
    spool.list_running()
"""


def test_listing_does_not_block_recorders(tmp_path: Path) -> None:
    spool = RecordingSpool(RecorderLimits(directory=str(tmp_path), at_once=1))
    words = [sys.executable, "-c", LOOK, str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert read_line(process) == "ready"
            for _ in range(2000):
                os.close(spool.claim_slot(WISH)[0])
        finally:
            process.kill()


def test_locked_directory_does_not_block_for_ever(tmp_path: Path) -> None:
    script = "import fcntl, os, sys; fcntl.flock(os.open(sys.argv[1], 0), 2); print(); input()"
    words = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert read_line(process) == ""
        with pytest.raises(SpoolLimitError, match="locked for a second"):
            RecordingSpool(RecorderLimits(directory=str(tmp_path))).claim_slot(WISH)
        process.kill()


def test_room_is_counted_while_recordings_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = RecordingSpool(RecorderLimits(directory=str(tmp_path), size=10))
    gone, there = tmp_path / "a.recording.json.gz", tmp_path / "b.recording.json.gz"
    there.write_bytes(bytes(6))
    monkeypatch.setattr(RecordingSpool, "list_recordings", lambda _: [gone, there])
    spool.require_room(tmp_path / "c.recording.json.gz", 4)
    with pytest.raises(SpoolLimitError, match="11 bytes"):
        spool.require_room(tmp_path / "c.recording.json.gz", 5)
