"""Imports before a command under `seclatch record` starts."""

from __future__ import annotations

import subprocess
import sys

# Each of these takes milliseconds to import, and is needed only at the end of a recording.
LATER = (
    "msgspec",
    "seclatch.model.recording",
    "seclatch.model.syscall",
    "seclatch.recording.attribution.attribution",
    "seclatch.recording.trace.trace",
    "seclatch.recording.trace.summarize_trace",
    "seclatch.recording.files.recording_file",
    "seclatch.report.recording_progress",
    "gzip",
    "json",
    "shutil",
    "subprocess",
    "tempfile",
)


def test_modules_for_the_end_are_not_imported_before_the_command_runs() -> None:
    script = (
        "import sys, seclatch.cli.main, seclatch.cli.record.start; "
        "from seclatch.recording import record_command, recorder; "
        "from seclatch.recording.backends.bpf import bpf_backend; "
        "from seclatch.recording.files import destination; print(*sys.modules)"
    )
    # Without site: an editable installation imports modules of its own.
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}; {script}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert [name for name in LATER if name in done.stdout.split()] == []
