"""Find the failed step of an image's build among what an engine's builder has run.

BuildKit calls runc itself, docker's builder before it has dockerd make containers. No id that the
client sends is on the command line of a step's runtime, so that the steps of other clients' builds
look the same. But the client's last message has the step's command and exit status, and what the
builder ran with both at that time is this step, or one that failed like it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from seclatch.diagnose.evidence.image_build import builds_image
from seclatch.diagnose.evidence.run_evidence import RunEvidence, has_failed, read_exit_code
from seclatch.diagnose.evidence.stages_by_name import assign_by_name
from seclatch.recording.attribution.attribution import (
    find_session_family,
    find_trusted_daemons,
    restrict_trace,
)
from seclatch.recording.trace.assign_stages import EnteredSession, assign_stages
from seclatch.recording.trace.trace import Trace

# BuildKit's (with Go's %q), and that of docker's builder before it.
_FAILED = (
    re.compile(r'process "((?:[^"\\]|\\.)*)" did not complete successfully(?:: exit code: (\d+))?'),
    re.compile(r"The command '(.*)' returned a non-zero code: (\d+)"),
)
_ESCAPED = re.compile(r"\\(.)")
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r"}


def add_failed_step(evidence: RunEvidence, whole: Trace) -> RunEvidence:
    """Return the evidence of a build with its failed step's container, from the whole trace.

    As it was if the command builds no image, or the step was not found.
    """
    if evidence.staging.sessions or not builds_image(evidence.command):
        return evidence
    for session in _list_failed_steps(evidence, whole):
        kept = evidence.trace.processes.keys() | find_session_family(whole, session)
        trace = restrict_trace(whole, kept)
        staging = assign_stages(trace)
        assign_by_name(trace, staging)
        return replace(evidence, trace=trace, staging=staging)
    return evidence


def _list_failed_steps(evidence: RunEvidence, whole: Trace) -> Iterator[EnteredSession]:
    """Yield the containers of the named command and status, the last first."""
    named = find_named_step(evidence)
    if named is None:
        return
    words, status = named
    daemons = find_trusted_daemons(whole)
    for session in reversed(assign_stages(whole).sessions):
        bundle = evidence.bundles.found.get(session.runtime)
        process = whole.processes[whole.segments[session.entry].process]
        if bundle is None or session.joined or not has_failed(process):
            continue
        ended_alike = status in (None, read_exit_code(process))
        if bundle.words == words and ended_alike and find_session_family(whole, session) & daemons:
            yield session


def find_named_step(evidence: RunEvidence) -> tuple[str, int | None] | None:
    """Return the command of the step that the client says has failed, and its status if named."""
    for line in reversed(evidence.messages):
        for pattern in _FAILED:
            if match := pattern.search(line.text):
                words = match[1]
                if pattern is _FAILED[0]:
                    words = _ESCAPED.sub(lambda one: _CONTROLS.get(one[1], one[1]), words)
                return words, int(match[2]) if match[2] else None
    return None
