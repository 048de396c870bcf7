"""Count writes to other descriptors than standard error: evidence that a process kept working."""

from __future__ import annotations

from seclatch.diagnose.evidence.run_evidence import RunEvidence
from seclatch.recording.backends.bpf.detail_events import MAX_SAID
from seclatch.recording.trace.trace import TracedProcess

BUFFERED = 1
"""Writes of buffered output at a process's end: they do not show that it went on."""


def count_other_writes(evidence: RunEvidence, process: TracedProcess, since: int) -> int:
    """Count such writes after a time, among the process's last calls.

    `echo … >&2` writes to 1, with 2 in its place. A process with more messages than are kept (a Go
    program printing its stacks) is not counted.
    """
    written, moved = 0, False
    for call in evidence.list_last_calls(process):
        if call.time > since:
            name = evidence.find_syscall(call).name
            moved ^= name in ("dup2", "dup3")
            written += name in ("write", "writev") and call.result >= 0 and not moved
    lines = [
        evidence.sights.said.get(segment, ()) for segment in evidence.list_own_segments(process)
    ]
    if any(len(written_lines) >= MAX_SAID for written_lines in lines):
        return 0
    reported = sum(time > since for written_lines in lines for time, _ in written_lines)
    return max(0, written - reported)
