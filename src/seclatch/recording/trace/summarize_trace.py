"""From a trace to a recording: numbers get names, segments become processes and stages."""

from __future__ import annotations

import os
from datetime import UTC
from pathlib import PurePosixPath

from seclatch.model import recording as model
from seclatch.model.arch import Arch
from seclatch.model.origin import Software
from seclatch.recording.trace.assign_stages import assign
from seclatch.recording.trace.call_counts import tell_arguments, tell_calls, tell_denials, tell_lost
from seclatch.recording.trace.container_list import tell_containers, tell_sessions
from seclatch.recording.trace.event_list import tell_events
from seclatch.recording.trace.numbering import View
from seclatch.recording.trace.process_states import Contexts
from seclatch.recording.trace.run_metadata import Run
from seclatch.recording.trace.software_versions import ask_versions
from seclatch.recording.trace.syscall_names import Names
from seclatch.recording.trace.trace import Process, Segment, Trace
from seclatch.version import __version__


def summarise(trace: Trace, run: Run) -> model.Recording:
    """Make the recording of a trace."""

    def seconds(time: int) -> float:
        return round((time - run.began) / 1e9, 6)

    view, names = View(trace, assign(trace), seconds), Names()
    contexts = Contexts(trace, seconds)
    containers = list(tell_containers(view, run))
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
        sessions=list(tell_sessions(view)),
        processes=processes,
        events=tell_events(view, names),
        calls=list(tell_calls(view, names)),
        denials=list(tell_denials(view, names)),
        arguments=list(tell_arguments(view, names)),
        lost=tell_lost(view),
        contexts=contexts.table,
        images=sorted({each.image for each in containers if each.image}),
        software=_software(view) if run.complete else [],
    )


def _software(view: View) -> list[Software]:
    """Asked at the end only: it may take programs that have to be run."""
    return ask_versions((view.stage(each), each.file) for each in view.segments if each.file)


def _process(view: View, contexts: Contexts, process: Process) -> model.RecordedProcess:
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


def _image(view: View, segment: Segment) -> model.ProcessImage:
    return model.ProcessImage(
        time=view.seconds(segment.time),
        stage=view.stage(segment).value,
        exe=segment.file,
        argv=list(segment.argv),
        argv_cut=segment.argv_cut,
        uid=segment.facts.uid,
        gid=segment.facts.gid,
    )
