"""From a trace to a recording: numbers get names, segments become processes and stages."""

from __future__ import annotations

import os
from datetime import UTC
from pathlib import PurePosixPath

from seclatch.model import recording as model
from seclatch.model.arch import Arch
from seclatch.model.origin import Software
from seclatch.recording.trace.assign_stages import assign_stages
from seclatch.recording.trace.call_counts import (
    count_lost,
    list_arguments,
    list_calls,
    list_denials,
)
from seclatch.recording.trace.container_list import list_containers, list_sessions
from seclatch.recording.trace.event_list import list_events
from seclatch.recording.trace.numbering import NumberedTrace
from seclatch.recording.trace.process_states import ContextTable
from seclatch.recording.trace.run_metadata import RunMetadata
from seclatch.recording.trace.software_versions import read_versions
from seclatch.recording.trace.syscall_names import SyscallNames
from seclatch.recording.trace.trace import Segment, Trace, TracedProcess
from seclatch.version import __version__


def summarize_trace(trace: Trace, run: RunMetadata) -> model.Recording:
    """Make the recording of a trace."""

    def seconds(time: int) -> float:
        return round((time - run.began) / 1e9, 6)

    view, names = NumberedTrace(trace, assign_stages(trace), seconds), SyscallNames()
    contexts = ContextTable(trace, seconds)
    containers = list(list_containers(view, run))
    processes = [_process(view, contexts, trace.processes[each]) for each in view.ids]
    return model.Recording(
        seclatch=__version__,
        complete=run.complete,
        commands=[list(run.command)] if run.command else [],
        started=run.started.astimezone(UTC).isoformat(timespec="milliseconds"),
        duration=seconds(run.ended),
        hosts=[model.RecordedHost(kernel=os.uname().release, arch=Arch.native().title)],
        runtimes=sorted({PurePosixPath(each.runtime).name for each in containers} - {""}),
        containers=containers,
        sessions=list(list_sessions(view)),
        processes=processes,
        events=list_events(view, names),
        calls=list(list_calls(view, names)),
        denials=list(list_denials(view, names)),
        arguments=list(list_arguments(view, names)),
        lost=count_lost(view),
        contexts=contexts.table,
        images=sorted({each.image for each in containers if each.image}),
        software=_software(view) if run.complete else [],
    )


def _software(view: NumberedTrace) -> list[Software]:
    """Asked at the end only: it may take programs that have to be run."""
    return read_versions((view.stage(each), each.file) for each in view.segments if each.file)


def _process(
    view: NumberedTrace, contexts: ContextTable, process: TracedProcess
) -> model.RecordedProcess:
    segments = [view.trace.segments[each] for each in process.segments]
    sessions = [view.staging.session_of.get(each.id) for each in segments]
    return model.RecordedProcess(
        id=view.ids[process.id],
        pid=process.pid,
        parent=None if process.parent is None else view.ids.get(process.parent),
        session=next((each for each in sessions if each is not None), None),
        began=view.seconds(process.began),
        ended=None if process.ended is None else view.seconds(process.ended),
        status=process.status,
        found_running=process.found_running,
        images=[_image(view, each) for each in segments if each.file],
        contexts=contexts.of(process),
    )


def _image(view: NumberedTrace, segment: Segment) -> model.ProcessImage:
    return model.ProcessImage(
        time=view.seconds(segment.time),
        stage=view.stage(segment).value,
        exe=segment.file,
        argv=list(segment.argv),
        argv_cut=segment.argv_cut,
        uid=segment.facts.uid,
        gid=segment.facts.gid,
    )
