"""Cause: the filter denied a call of the runtime, between loading it and the program's exec."""

from __future__ import annotations

from collections.abc import Iterator

from seclatch.diagnose.causes.diagnosed_run import DiagnosedRun, FoundCause
from seclatch.diagnose.denials.list_denials import DenialCase
from seclatch.diagnose.evidence.run_evidence import (
    RunEvidence,
    has_failed,
    read_end_signal,
    read_exit_code,
)
from seclatch.diagnose.evidence.sentences import describe_denial
from seclatch.model.stage import Stage
from seclatch.recording.trace.assign_stages import EnteredSession

_REPORTING = ("write", "writev", "sendto", "sendmsg")


def find_denied_runtime(run: DiagnosedRun) -> FoundCause | None:
    """Find a session whose program was never exec'd, and the denial that ended its init.

    Or a session whose runtime gave up because its init could not report success.
    """
    for case in run.denials.fatal(Stage.FILTERED_INIT):
        if case.session in run.unstarted:
            return _make_cause(run, case, "could not start the program", "makes this call")
    for case in _find_denied_reports(run):
        failing = "gave up, though the program was started"
        return _make_cause(run, case, failing, "reports success to its parent with this call")
    return None


def _find_denied_reports(run: DiagnosedRun) -> Iterator[DenialCase]:
    """Yield denied reports of an init to its runtime, which then failed (`crun exec` waits)."""
    for case in reversed(run.denials.all):
        session = case.session
        if case.stage is not Stage.FILTERED_INIT or session is None:
            continue
        if case.denial.syscall in _REPORTING and _runtime_failed(run.evidence, session):
            yield case


def _runtime_failed(evidence: RunEvidence, session: EnteredSession) -> bool:
    if not session.runtime:
        return False
    runtime, program = (
        evidence.process_of(segment) for segment in (session.runtime, session.entry)
    )
    by_itself = has_failed(runtime) and read_end_signal(runtime) is None
    return (
        by_itself
        and read_exit_code(runtime) != read_exit_code(program)
        and evidence.has_started(session)
    )


def _make_cause(run: DiagnosedRun, case: DenialCase, failing: str, does: str) -> FoundCause | None:
    if case.session is None:
        return None
    runtime = run.evidence.runtime(case.session)
    return FoundCause(
        True,
        "runtime-denied",
        f"{runtime} {failing}: the profile, which binds {runtime} too, "
        f"denied it {describe_denial(case.denial)}",
        Stage.FILTERED_INIT.value,
        [f"{runtime} loads the filter on itself and {does} after that, before the program's exec"],
        case,
    )
