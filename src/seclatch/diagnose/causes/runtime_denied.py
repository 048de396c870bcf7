"""The filter hit the runtime itself: between loading it and the program's exec."""

from __future__ import annotations

from collections.abc import Iterator

from seclatch.diagnose.causes.diagnosed_run import Found, Subject
from seclatch.diagnose.denials.list_denials import Case
from seclatch.diagnose.evidence.run_evidence import Evidence, ended_by, exit_code, failed
from seclatch.diagnose.evidence.sentences import describe
from seclatch.model.stage import Stage
from seclatch.recording.trace.assign_stages import Session

_TELLING = ("write", "writev", "sendto", "sendmsg")


def find(subject: Subject) -> Found | None:
    """A session that never reached its program, and a denial that its init did not get over; or one
    whose runtime was not told that it did."""
    for case in subject.denials.fatal(Stage.FILTERED_INIT):
        if case.session in subject.unstarted:
            return _found(subject, case, "could not start the program", "makes this call")
    for case in _untold(subject):
        failing = "gave up, though the program was started"
        return _found(subject, case, failing, "tells its parent with this call that all went well")
    return None


def _untold(subject: Subject) -> Iterator[Case]:
    """Of a runtime that failed by itself: what its init was to tell it (`crun exec` waits)."""
    for case in reversed(subject.denials.all):
        session = case.session
        if case.stage is not Stage.FILTERED_INIT or session is None:
            continue
        if case.denial.syscall in _TELLING and _gave_up(subject.evidence, session):
            yield case


def _gave_up(evidence: Evidence, session: Session) -> bool:
    if not session.runtime:
        return False
    runtime, program = (evidence.process_of(each) for each in (session.runtime, session.entry))
    by_itself = failed(runtime) and ended_by(runtime) is None
    return by_itself and exit_code(runtime) != exit_code(program) and evidence.started(session)


def _found(subject: Subject, case: Case, failing: str, does: str) -> Found | None:
    if case.session is None:
        return None
    runtime = subject.evidence.runtime(case.session)
    return Found(
        True,
        "runtime-denied",
        f"{runtime} {failing}: the profile, which binds {runtime} too, "
        f"denied it {describe(case.denial)}",
        Stage.FILTERED_INIT.value,
        [f"{runtime} loads the filter on itself and {does} after that, before the program's exec"],
        case,
    )
