"""Times in which nothing was recorded, in words."""

from __future__ import annotations

from collections.abc import Iterator

from seclatch.model.recording.recording import Recording
from seclatch.report.document.process_names import format_duration

_LISTED = 3


def describe_gaps(recording: Recording) -> Iterator[str]:
    """Yield one sentence on all gaps, none without gaps."""
    gaps = recording.gaps
    if not gaps:
        return
    times = ", ".join(
        f"from {format_duration(gap.began)} to {format_duration(gap.ended)}"
        for gap in gaps[:_LISTED]
    )
    more = f" and {len(gaps) - _LISTED:,} more times" if len(gaps) > _LISTED else ""
    whole = format_duration(sum(gap.ended - gap.began for gap in gaps))
    total = f", {whole} in all" if len(gaps) > 1 else ""
    yield f"nothing was recorded {times}{more}{total}: the recorder was restarted"
