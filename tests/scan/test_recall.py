"""A scan must contain every call that the program is observed to issue."""

from __future__ import annotations

import shlex
import tomllib
from pathlib import Path

import pytest

from seclatch.model.scan import ScannedProgram
from seclatch.scan.image.rootfs_reader import Rootfs
from seclatch.scan.image.scan_target import ScanTarget
from seclatch.scan.reach.scan_program import scan_program
from seclatch.scan.summary.summary_cache import SummaryCache
from tests.scan import traced

COMMANDS = tomllib.loads((Path(__file__).parent / "programs.toml").read_text())

_scanned: dict[str, ScannedProgram] = {}


def scanned(host: Rootfs, cache: SummaryCache, path: str) -> ScannedProgram | None:
    """Scan a file once; return None for scripts, whose interpreter issues the calls."""
    real = host.resolve(path)
    if real is None or host.head(real, 4) != b"\x7fELF":
        return None
    if real not in _scanned:
        _scanned[real] = scan_program(host, cache, ScanTarget(real, "traced"))
    return _scanned[real]


def missing(host: Rootfs, cache: SummaryCache, command: str, tmp_path: Path) -> dict[str, set[str]]:
    """Return by program: observed calls that are missing from the scan."""
    (tmp_path / "work").mkdir()
    words = shlex.split(command.replace("{tmp}", str(tmp_path / "work")))
    found: dict[str, set[str]] = {}
    seen = traced.trace(words, tmp_path / "log")
    assert seen, "strace saw nothing"
    for path, calls in seen.items():
        program = scanned(host, cache, path)
        if program is not None and (lost := calls - {call.name for call in program.calls}):
            found[path] = lost
    return found


@pytest.mark.root
@pytest.mark.parametrize("command", COMMANDS["looked_at"])
def test_programs_used_in_development(
    host: Rootfs, cache: SummaryCache, command: str, tmp_path: Path
) -> None:
    assert missing(host, cache, command, tmp_path) == {}


@pytest.mark.root
@pytest.mark.parametrize("command", COMMANDS["held_out"])
def test_programs_held_out(host: Rootfs, cache: SummaryCache, command: str, tmp_path: Path) -> None:
    assert missing(host, cache, command, tmp_path) == {}


def test_there_are_enough_programs() -> None:
    """65 commands, a third of them held out."""
    assert len(COMMANDS["looked_at"]) + len(COMMANDS["held_out"]) >= 65
    assert len(COMMANDS["held_out"]) * 3 >= len(COMMANDS["looked_at"])
