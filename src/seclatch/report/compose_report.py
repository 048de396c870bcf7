"""A report of a recording: everything that is shown, worked out once."""

from __future__ import annotations

from collections.abc import Iterator

from seclatch.model.profile.fit_result import ProfileFit
from seclatch.model.recording.origin import Software
from seclatch.model.recording.recording import Recording
from seclatch.model.scan import Scan
from seclatch.report.document.container_starts import list_starts
from seclatch.report.document.process_history import make_histories
from seclatch.report.document.process_tree import list_nodes
from seclatch.report.document.recording_gaps import describe_gaps
from seclatch.report.document.report_document import Report, Summary, Timeline
from seclatch.report.document.syscall_matrix import make_matrix
from seclatch.report.timeline.timeline_lanes import choose_lanes
from seclatch.version import __version__


def compose_report(
    recording: Recording, fit: ProfileFit | None = None, scan: Scan | None = None
) -> Report:
    """Work out the report; `fit` is how a profile fits, worked out elsewhere."""
    made = make_histories(recording)
    nodes, left_out = list_nodes(recording, made)
    end = max([recording.duration, *(history.end for history in made.values())])
    return Report(
        seclatch=__version__,
        summary=_summary(recording),
        starts=list_starts(recording, made),
        timeline=Timeline(duration=end, lanes=choose_lanes(recording, made)),
        matrix=make_matrix(recording, scan),
        fit=fit,
        processes=nodes,
        left_out=left_out,
    )


def _summary(recording: Recording) -> Summary:
    return Summary(
        commands=[list(each) for each in recording.commands],
        started=recording.started,
        duration=recording.duration,
        runs=recording.runs,
        hosts=[f"Linux {host.kernel}, {host.arch}" for host in recording.hosts],
        runtimes=list(recording.runtimes),
        software=[_version(each) for each in recording.software if _says(each)],
        processes=len(recording.processes),
        calls=sum(each.count for each in recording.calls),
        denied=sum(each.count for each in recording.denials),
        missing=list(_missing(recording)),
    )


def _says(software: Software) -> bool:
    """Return whether a version says more than the program's name."""
    return any(letter.isdigit() for letter in software.version.replace(software.name, ""))


def _version(software: Software) -> str:
    """Return a program's version line, with its name in front if the line lacks it."""
    named = software.name.lower() in software.version.lower()
    return software.version if named else f"{software.name} {software.version}"


def _missing(recording: Recording) -> Iterator[str]:
    lost = recording.lost
    if not recording.complete:
        yield "the recorder was interrupted: the end is not in it"
    if lost.events or lost.processes or lost.calls:
        yield (
            f"{lost.calls:,} calls cannot be told whose, {lost.processes:,} processes were not "
            f"kept apart, {lost.events:,} events were lost"
        )
    yield from describe_gaps(recording)
    if recording.runs > 1:
        yield (
            f"{recording.runs:,} recordings were merged: processes and times are in none of them"
        )
