"""Count writes to other descriptors than standard error: evidence that a process kept working."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from seclatch.diagnose.evidence.run_evidence import RunEvidence
from seclatch.recording.backends.bpf.detail_events import MAX_SAID
from seclatch.recording.trace.trace import TracedProcess

Writes = Mapping[int, Sequence[tuple[int, str]]]
"""What was written, by segment: time and text."""

BUFFERED = 1
"""Writes of buffered output at a process's end: they do not show that it went on."""

_WAKING = (1, 8)
"""Sizes of writes by which threads wake each other, through pipes and eventfd(2)."""


def count_other_writes(evidence: RunEvidence, process: TracedProcess, since: int) -> int:
    """Count such writes after a time, among the process's last calls.

    `echo … >&2` writes to 1, with 2 in its place. Writes as short as those that wake a thread count
    on standard output only. A process with more messages than are kept (a Go program printing its
    stacks) is not counted.
    """
    own, moved = evidence.list_own_segments(process), False
    written = _count_short(evidence.sights.printed, own, since)
    for call in evidence.list_last_calls(process):
        if call.time > since:
            name = evidence.find_syscall(call).name
            moved ^= name in ("dup2", "dup3")
            shorter = name == "write" and call.result in _WAKING
            output = name in ("write", "writev") and call.result >= 0 and not shorter
            written += output and not moved
    lines = [evidence.sights.said.get(segment, ()) for segment in own]
    if any(len(written_lines) >= MAX_SAID for written_lines in lines):
        return 0
    reported = sum(time > since for written_lines in lines for time, _ in written_lines)
    return max(0, written - reported + _count_short(evidence.sights.said, own, since))


def _count_short(writes: Writes, own: set[int], since: int) -> int:
    """Count the writes after a time that are as short as those that wake a thread."""
    texts = (text for segment in own for time, text in writes.get(segment, ()) if time > since)
    return sum(len(text.encode()) in _WAKING for text in texts)
