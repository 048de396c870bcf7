"""Put the running profile on a container that is ready, and leave it for its exec sessions."""

from __future__ import annotations

from pathlib import Path

from seclatch.errors import SeclatchError
from seclatch.model.capability import name_capabilities
from seclatch.output.printable_text import make_printable
from seclatch.process.running_bundle import find_runtime
from seclatch.profile.compile.compile_profile import Runtime
from seclatch.system.procfs import read_status
from seclatch.tighten.automatic.profile_directory import read_running_profile
from seclatch.tighten.automatic.running_annotations import RunningRequest
from seclatch.tighten.automatic.session_filter import remove_session_filter, write_session_filter
from seclatch.tighten.automatic.started_container import StartedContainer
from seclatch.tighten.further_filter import compile_further_filter
from seclatch.tighten.run_tighten import TightenOptions
from seclatch.tighten.tighten_container import (
    TightenRequest,
    prepare_filter,
    put_on,
    require_permission,
)
from seclatch.tighten.tighten_report import explain_failures
from seclatch.tighten.tighten_target import find_container_target

_WAIT = 30.0
_TRIES = 2


def find_profile_problem(directory: str, name: str) -> str:
    """Return why this profile cannot be put on a container here, and a remedy on a second line."""
    try:
        require_permission()
        source = read_running_profile(directory, name)
        compile_further_filter(source, frozenset(), Runtime.RUNC)
    except (OSError, SeclatchError) as error:
        return f"{error}\n{getattr(error, 'remedy', '')}"
    return ""


def put_running_profile(
    request: RunningRequest, directory: str, program: Path, started: StartedContainer
) -> str:
    """Tighten the container; return what was done, in one sentence. Raises SeclatchError, OSError.

    The sessions' filter is there before the processes are bound: a session that begins meanwhile
    finds it, or is found.
    """
    source = read_running_profile(directory, request.name)
    runtime = Runtime.CRUN if find_runtime(started.identifier) == "crun" else Runtime.RUNC
    if request.sessions:
        status = read_status(started.pid)
        capabilities = name_capabilities(status.capabilities if status else 0)
        further = compile_further_filter(source, capabilities, runtime)
        write_session_filter(started.identifier, started.pid, further.code, further.flags)
    wanted = TightenRequest(
        started.identifier,
        source,
        runtime,
        rehearsal=0.0,
        options=TightenOptions(wait=_WAIT, program=program),
    )
    try:
        return _bind(wanted, started)
    except BaseException:
        remove_session_filter(started.identifier)
        raise


def _bind(wanted: TightenRequest, started: StartedContainer) -> str:
    require_permission()
    for _ in range(_TRIES):
        prepared = prepare_filter(wanted, find_container_target(started.pid, started.identifier))
        ready = {each.pid for each in prepared.report.outcome.processes}
        if started.pid not in ready or started.has_ended():
            raise SeclatchError(f"process {started.pid} is not among those found, or has ended")
        report = prepared.report if prepared.present else put_on(wanted, prepared)
        if report.outcome.complete:
            bound = [
                each for each in report.outcome.processes if each.state in ("bound", "present")
            ]
            if started.pid not in {each.pid for each in bound} and not started.has_ended():
                raise SeclatchError(f"process {started.pid} was not among those found")
            names = {make_printable(report.names.get(each.pid, "?")) for each in bound}
            pause = max((each.pause for each in bound), default=0) / 1000
            return (
                f"tightened to {report.profile}: {len(bound)} process{'es' if bound[1:] else ''} "
                f"({', '.join(sorted(names)[:6])}), longest pause {pause:.1f} ms, {report.verified}"
            )
    failures = "; ".join(explain_failures(report.outcome, report.names))
    raise SeclatchError(f"not all processes could be bound: {failures or 'they keep changing'}")
