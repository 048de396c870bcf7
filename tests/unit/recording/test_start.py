"""What a command under `seclatch record` waits for."""

from __future__ import annotations

import subprocess
import sys

# Each of these takes milliseconds to import, and is of use only once there is something recorded.
LATER = (
    "seclatch.model.recording",
    "seclatch.recording.trace.summarize_trace",
    "seclatch.recording.files.recording_file",
    "seclatch.report.recording_progress",
    "gzip",
    "json",
    "shutil",
    "subprocess",
    "tempfile",
)


def test_nothing_is_imported_before_it_runs_that_only_the_end_needs() -> None:
    script = (
        "import sys, seclatch.cli.main, seclatch.cli.record.start; "
        "from seclatch.recording import record_command, recorder; "
        "from seclatch.recording.backends.bpf import bpf_backend; "
        "from seclatch.recording.files import destination; print(*sys.modules)"
    )
    # Without site: what an editable installation imports is not ours.
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}; {script}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert [name for name in LATER if name in done.stdout.split()] == []
