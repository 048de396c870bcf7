from __future__ import annotations

import itertools
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from seclatch.model.recording.recording import Recording
from seclatch.recording.files import recording_file
from tests.latch.conftest import (  # noqa: F401 (fixtures)
    bundle,
    latched,
    name,
    no_new_privileges,
    plain,
)
from tests.latch.oci import SCRIPTS
from tests.record.straced import STRACE, Log


@dataclass
class Recorded:
    """A recording, the command's result and the log of strace."""

    recording: Recording
    done: subprocess.CompletedProcess[str]
    log: Log | None = None

    def stages(self) -> dict[str, int]:
        """Count calls by stage, without denied ones."""
        total: dict[str, int] = {}
        for each in self.recording.calls:
            total[each.stage] = total.get(each.stage, 0) + each.count
        return total

    def calls(self, stage: str, pid: int | None = None) -> dict[str, int]:
        """Count calls by name in one stage, of one process or all."""
        pids = {each.id: each.pid for each in self.recording.processes}
        total: dict[str, int] = {}
        for each in self.recording.calls:
            if each.stage == stage and pid in (None, pids[each.process]):
                total[each.name] = total.get(each.name, 0) + each.count
        return total

    def denied(self) -> set[tuple[str, str, int, int]]:
        return {(each.stage, each.name, each.errno, each.count) for each in self.recording.denials}


Record = Callable[..., Recorded]


@pytest.fixture
def record(tmp_path: Path) -> Record:
    """Provide record(WORDS, options=[…], straced=…): run `seclatch record` for real."""
    number = itertools.count()

    def run(
        words: list[Any],
        *,
        options: tuple[str, ...] = (),
        straced: bool = False,
        all_program: bool = False,
        check: bool = True,
    ) -> Recorded:
        n = next(number)
        path, log = tmp_path / f"{n}.recording.json", tmp_path / f"{n}.strace"
        tracer = [*STRACE, "-o", str(log)] if straced else []
        command = [str(SCRIPTS / "seclatch"), "record", "-o", str(path), *options, "--"]
        done = subprocess.run(
            [*command, *tracer, *map(str, words)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if check:
            assert done.returncode == 0, done.stderr
        recording = recording_file.read_recording(path)
        assert recording.complete
        assert recording.lost.events == recording.lost.processes == recording.lost.calls == 0
        return Recorded(recording, done, Log(log, all_program=all_program) if straced else None)

    return run
