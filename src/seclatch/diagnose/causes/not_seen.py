"""A runtime failed out of sight: on another host, or outside of this pid namespace."""

from __future__ import annotations

import re

from seclatch.diagnose.subject import Found, Subject
from seclatch.model.stage import Stage

_RUNTIME_S = re.compile(r"OCI runtime|\b(?:runc|crun)(?: (?:create|run|start|exec) failed|:)")


def find(subject: Subject) -> Found | None:
    """A client hands on a runtime's words, and nothing of a runtime was watched: its "operation not
    permitted" may be seccomp's or the kernel's."""
    evidence = subject.evidence
    if evidence.staging.sessions or any(
        evidence.stage(segment) is Stage.RUNTIME for segment in evidence.trace.segments
    ):
        return None
    told = next((each for each in subject.outside if _RUNTIME_S.search(each.text)), None)
    if told is None:
        return None
    return Found(
        None,
        "engine-not-seen",
        f"{told.program} tells of a runtime that could not be watched from here; run "
        f"seclatch on the engine's host, in no pid namespace: {told.text}",
        told.stage.value,
    )
