"""Make a recording of a trace: names for numbers, processes and stages for segments."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC
from pathlib import PurePosixPath

from seclatch.model.arch import Arch
from seclatch.model.recording import recording as model
from seclatch.model.recording.origin import Software
from seclatch.recording.trace.assign_stages import assign_stages
from seclatch.recording.trace.call_counts import (
    count_lost,
    list_arguments,
    list_calls,
    list_denials,
    list_denied_arguments,
)
from seclatch.recording.trace.container_list import list_containers, list_sessions
from seclatch.recording.trace.event_list import list_events
from seclatch.recording.trace.numbering import NumberedTrace
from seclatch.recording.trace.process_states import ContextTable
from seclatch.recording.trace.role_counts import list_roles
from seclatch.recording.trace.run_metadata import RunMetadata
from seclatch.recording.trace.software_versions import read_versions
from seclatch.recording.trace.syscall_names import SyscallNames
from seclatch.recording.trace.trace import Segment, Trace, TracedProcess
from seclatch.version import __version__


def summarize_trace(trace: Trace, run: RunMetadata) -> model.Recording:
    """Make the recording of a trace."""

    def seconds(time: int) -> float:
        return round((time - run.began) / 1e9, 6)

    numbered, names = NumberedTrace(trace, assign_stages(trace), seconds), SyscallNames()
    contexts = ContextTable(trace, seconds)
    containers = list(list_containers(numbered, run))
    processes = [
        _make_process(numbered, contexts, trace.processes[process]) for process in numbered.ids
    ]
    return model.Recording(
        seclatch=__version__,
        complete=run.complete,
        commands=[list(run.command)] if run.command else [],
        started=run.started.astimezone(UTC).isoformat(timespec="milliseconds"),
        duration=seconds(run.ended),
        hosts=[model.RecordedHost(kernel=os.uname().release, arch=Arch.native().title)],
        runtimes=sorted({PurePosixPath(container.runtime).name for container in containers} - {""}),
        containers=containers,
        sessions=list(list_sessions(numbered)),
        processes=processes,
        events=list_events(numbered, names),
        calls=list(list_calls(numbered, names)),
        denials=list(list_denials(numbered, names)),
        arguments=list(list_arguments(numbered, names)),
        denied_arguments=list(list_denied_arguments(numbered, names)),
        lost=count_lost(numbered),
        contexts=contexts.table,
        ready=_make_mark(trace, seconds),
        roles=list_roles(numbered, names),
        images=sorted({container.image for container in containers if container.image}),
        container_names=model.list_container_names(containers),
        software=_list_software(numbered) if run.complete else [],
    )


def _make_mark(trace: Trace, seconds: Callable[[int], float]) -> model.ReadyMark | None:
    if trace.ready is None:
        return None
    time, condition = trace.ready
    return model.ReadyMark(time=seconds(time), condition=condition)


def _list_software(numbered: NumberedTrace) -> list[Software]:
    """Return versions, at the end of a recording only: programs may have to be run for them."""
    return read_versions(
        (numbered.stage(segment), segment.file) for segment in numbered.segments if segment.file
    )


def _make_process(
    numbered: NumberedTrace, contexts: ContextTable, process: TracedProcess
) -> model.RecordedProcess:
    segments = [numbered.trace.segments[number] for number in process.segments]
    sessions = [numbered.staging.session_of.get(segment.id) for segment in segments]
    return model.RecordedProcess(
        id=numbered.ids[process.id],
        pid=process.pid,
        parent=None if process.parent is None else numbered.ids.get(process.parent),
        session=next((session for session in sessions if session is not None), None),
        began=numbered.seconds(process.began),
        ended=None if process.ended is None else numbered.seconds(process.ended),
        status=process.status,
        found_running=process.found_running,
        images=[_make_image(numbered, segment) for segment in segments if segment.file],
        contexts=contexts.list_changes(process),
    )


def _make_image(numbered: NumberedTrace, segment: Segment) -> model.ProcessImage:
    return model.ProcessImage(
        time=numbered.seconds(segment.time),
        stage=numbered.stage(segment).value,
        exe=segment.file,
        argv=list(segment.argv),
        argv_cut=segment.argv_cut,
        uid=segment.facts.uid,
        gid=segment.facts.gid,
    )
