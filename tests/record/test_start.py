"""Imports before a command under `seclatch record` starts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

# Each of these takes milliseconds to import. They are needed at the end of a recording, for other
# command lines, or (dataclasses imports inspect) can be done without.
LATER = (
    "click",
    "dataclasses",
    "inspect",
    "msgspec",
    "seclatch.model.recording.recording",
    "seclatch.model.syscall",
    "seclatch.recording.attribution.attribution",
    "seclatch.recording.trace.trace",
    "seclatch.recording.trace.summarize_trace",
    "seclatch.recording.files.recording_file",
    "seclatch.report.recording_progress",
    "gzip",
    "json",
    "shutil",
    "socket",
    "subprocess",
    "tempfile",
)
# Nothing is executed: there is no process to fork. Without eBPF: the first import of its back end
# has the same modules, and tests of it need root.
SCRIPT = """
import os, sys
from types import SimpleNamespace
sys.path[:] = {path!r}
sys.argv = ["seclatch", "record", "-q", "-o", {output!r}, "--", {command!r}]

def fail():
    print(*sys.modules)
    raise OSError(11, "no process")

os.fork = fail
from seclatch.recording.backends.bpf import bpf_backend
bpf_backend.loader.load = lambda **_: SimpleNamespace(close=lambda: None)
bpf_backend.follow_daemons = lambda _: []
from seclatch.cli.entry import main
main()
"""


def list_modules_at_start(command: str, output: Path) -> list[str]:
    """Return the modules that are imported when the process of the command is forked."""
    script = SCRIPT.format(path=sys.path, output=str(output), command=command)
    # Without site: an editable installation imports modules of its own.
    done = subprocess.run(
        [sys.executable, "-S", "-c", script], capture_output=True, text=True, check=False
    )
    assert "no process" in done.stderr
    return done.stdout.split()


def test_modules_for_later_are_not_imported_before_the_command_runs(tmp_path: Path) -> None:
    found = list_modules_at_start("/bin/true", tmp_path / "output")
    assert "seclatch.recording.record_command" in found
    assert [name for name in LATER if name in found] == []


@pytest.mark.parametrize("client", ["docker", "podman"])
def test_what_reads_short_containers_is_imported_before_an_engine_s_client(
    client: str, tmp_path: Path
) -> None:
    """On a busy machine the import took longer than a short container."""
    program = tmp_path / client
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    found = list_modules_at_start(str(program), tmp_path / "output")
    assert "seclatch.recording.command_attribution" in found
