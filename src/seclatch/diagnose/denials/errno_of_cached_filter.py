"""The errno that the profile has for a call, where crun took the filter from its cache.

crun finds a filter again by a checksum of the profile that leaves out a rule's `errnoRet` (measured
with 1.21). A profile that differs from an earlier one in nothing else gets that one's errnos.
"""

from __future__ import annotations

from seclatch.diagnose.evidence.run_evidence import RunEvidence
from seclatch.model.action import MAX_ERRNO, Action, ActionKind
from seclatch.recording.backends.bpf.detail_events import Seen
from seclatch.recording.trace.assign_stages import EnteredSession


def find_meant_errno(
    evidence: RunEvidence, seen: Seen, ruled: Action, session: EnteredSession | None
) -> int:
    """The errno that the profile has for a call if its caller was told another, else 0. Only where
    the container's filter is the only one: of two, the other may have answered."""
    if session is None or ruled.kind is not ActionKind.ERRNO:
        return 0
    meant = min(ruled.data, MAX_ERRNO)
    alone = evidence.trace.segments[seen.segment].facts.filters == 1
    cached = alone and evidence.runtime(session) == "crun"
    return meant if cached and meant != seen.errno else 0
