"""Prepare, check and put on a further filter; say what it changes.

See docs/decisions/0105-tightening-live-processes.md.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from seclatch.errors import SeclatchError
from seclatch.filter.query_filter import FilterQuery
from seclatch.model.arch import Arch
from seclatch.model.capability import name_capabilities
from seclatch.process.tightened_records import FOLDER, write_tightened
from seclatch.profile.compile.compile_profile import Runtime
from seclatch.profile.parse.profile_source import ProfileSource, read_source
from seclatch.system.procfs import read_status, read_status_line
from seclatch.tighten.further_filter import FurtherFilter, compile_further_filter
from seclatch.tighten.process_facts import ProcessFacts, read_process_facts
from seclatch.tighten.rehearse import DeniedCall, rehearse
from seclatch.tighten.required_calls import find_denied_needs
from seclatch.tighten.run_tighten import (
    ProcessOutcome,
    TightenOptions,
    TightenOutcome,
    make_outcome,
    run_tighten,
)
from seclatch.tighten.setuid_programs import SetuidPrograms, list_setuid_programs
from seclatch.tighten.tighten_report import (
    TightenReport,
    explain_failures,
    suggest_remedy,
)
from seclatch.tighten.tighten_target import TightenTarget, find_tighten_target
from seclatch.tighten.verify_bound import BoundThreads, find_bound_threads

_SYS_ADMIN = 21
_LISTED = 6


@dataclass(frozen=True, slots=True)
class TightenRequest:
    """What the user asked for. `rehearsal`: seconds; 0 puts the filter on at once.

    `insist`: although the profile lacks what the processes need. `notify` gets messages.
    """

    target: str
    profile: Path | ProfileSource
    runtime: Runtime = Runtime.RUNC
    rehearsal: float = 600.0
    insist: bool = False
    options: TightenOptions = field(default_factory=TightenOptions)
    notify: Callable[[str], None] = lambda _: None


class DeniedInRehearsalError(SeclatchError):
    """The rehearsal found calls that would be denied; nothing was touched."""

    def __init__(self, denied: list[DeniedCall]) -> None:
        super().__init__(
            f"not put on: in the rehearsal {len(denied)} calls were made that the profile denies, "
            "or may deny",
            remedy="allow them in the profile, or give --now to put it on although they will fail",
        )
        self.denied = denied


def tighten_container(request: TightenRequest) -> TightenReport:
    """Put the profile on all processes of the target, or raise SeclatchError.

    The report says which processes are bound when some are not.
    """
    require_permission()
    target = find_tighten_target(request.target)
    prepared = prepare_filter(request, target)
    if prepared.present or request.options.dry_run:
        return prepared.report
    _rehearse(request, target, prepared.further, prepared.report)
    return put_on(request, prepared)


@dataclass(frozen=True, slots=True)
class PreparedFilter:
    """A filter that can be put on all processes of a target. `present`: all have it already."""

    target: TightenTarget
    further: FurtherFilter
    report: TightenReport
    present: bool


def can_suspend() -> bool:
    """Return whether this process may suspend seccomp for others (ptrace_setoptions())."""
    mask = int(read_status_line("self", b"CapEff") or b"0", 16)
    return bool(mask >> _SYS_ADMIN & 1) and _is_initial_namespace()


def require_permission() -> None:
    """Raise SeclatchError where nothing can be put on a running process."""
    require_supported_architecture()
    _require_privileges()


def prepare_filter(request: TightenRequest, target: TightenTarget) -> PreparedFilter:
    """Compile the profile and check the processes; nothing is touched. Raises SeclatchError."""
    further = compile_for_target(request, target)
    ready = _examine(request, target, further)
    report = _make_report(request, target, further, ready)
    report.warnings += target.notes
    if _are_bound(ready.processes, further):
        report.outcome = _mark_present(ready)
        report.verified = "all threads had the filter already; none was stopped"
        return PreparedFilter(target, further, report, present=True)
    facts = read_process_facts(each.pid for each in ready.processes)
    _check_needs(request, further, facts)
    _warn(report, target, facts)
    return PreparedFilter(target, further, report, present=False)


def put_on(request: TightenRequest, prepared: PreparedFilter) -> TightenReport:
    """Put a prepared filter on its processes, read it back, and record it."""
    report, further = prepared.report, prepared.further
    report.outcome = run_tighten(prepared.target.selector, further, request.options)
    report.names = {**report.names, **read_names(report.outcome.processes)}
    _verify(report, further)
    _record(report, further)
    return report


def require_supported_architecture() -> None:
    """Raise SeclatchError where native/tighten cannot make a program call the kernel."""
    if Arch.native() not in (Arch.X86_64, Arch.AARCH64):
        raise SeclatchError(
            f"putting a filter on running processes of {Arch.native().title}: only x86_64 and "
            "arm64 are supported",
            remedy="start the container with this profile, or with both in one (`seclatch profile "
            "intersect`)",
        )


def _require_privileges() -> None:
    """Raise SeclatchError where this process may not suspend seccomp for another."""
    if not can_suspend():
        raise SeclatchError(
            "putting a filter on other processes takes CAP_SYS_ADMIN on the host: their present "
            "profile is suspended while they load the filter (ptrace(2), "
            "PTRACE_O_SUSPEND_SECCOMP)",
            remedy="run it as root on the host",
        )
    if read_status_line("self", b"Seccomp") not in (b"0", None):
        raise SeclatchError(
            "putting a filter on other processes: this process is under seccomp itself, and the "
            "kernel then lets it suspend none (ptrace(2))",
            remedy="run it on the host, outside of containers",
        )


def _is_initial_namespace() -> bool:
    try:
        words = Path("/proc/self/uid_map").read_text(encoding="ascii").split()
    except OSError:
        return True
    return words == ["0", "0", "4294967295"]


def compile_for_target(request: TightenRequest, target: TightenTarget) -> FurtherFilter:
    """Compile the profile for the capabilities of the target. Raises SeclatchError."""
    status = read_status(target.first.pid)
    capabilities = name_capabilities(status.capabilities if status else 0)
    given = request.profile
    source = given if isinstance(given, ProfileSource) else read_source(given)
    further = compile_further_filter(source, capabilities, request.runtime)
    for name in further.ignored:
        request.notify(f"{further.name}: {name}: unknown to libseccomp, ignored")
    return further


def _examine(
    request: TightenRequest, target: TightenTarget, further: FurtherFilter
) -> TightenOutcome:
    """List the processes and whether each could be bound now. Raises SeclatchError."""
    ready = run_tighten(target.selector, further, replace(request.options, dry_run=True))
    if not ready.processes:
        raise SeclatchError(f"{request.target} has no process any more", status=2)
    if os.getpid() in {each.pid for each in ready.processes}:
        raise SeclatchError(
            f"{request.target} would include this command itself",
            remedy="run it outside of the container",
            status=2,
        )
    if not ready.complete:
        names = read_names(ready.processes)
        reasons = "; ".join(explain_failures(ready, names)) or "its processes keep changing"
        raise SeclatchError(
            f"tightening {request.target}: nothing was touched, because not all of its processes "
            f"could be bound within {request.options.wait:g} s: {reasons}",
            remedy=suggest_remedy(ready),
        )
    return ready


def _make_report(
    request: TightenRequest, target: TightenTarget, further: FurtherFilter, ready: TightenOutcome
) -> TightenReport:
    return TightenReport(
        request.target, further.name, target.container, ready, read_names(ready.processes)
    )


def read_names(processes: Iterable[ProcessOutcome]) -> dict[int, str]:
    """Return the names of the processes that live."""
    names = {}
    for each in processes:
        status = read_status(each.pid)
        if status:
            names[each.pid] = status.comm
    return names


def _are_bound(processes: Iterable[ProcessOutcome], further: FurtherFilter) -> bool:
    found = find_bound_threads((each.pid for each in processes), further.code)
    return isinstance(found, BoundThreads) and bool(found.bound) and not found.unbound


def make_present_report(
    request: TightenRequest, target: TightenTarget, further: FurtherFilter, pids: Iterable[int]
) -> TightenReport:
    """Report processes that have the filter by the record of an earlier run."""
    processes = tuple(make_outcome(pid, "present", "") for pid in pids)
    outcome = TightenOutcome(processes, touched=False, settled=True)
    report = _make_report(request, target, further, outcome)
    report.verified = "recorded as bound by an earlier run, and counted; none was stopped"
    return report


def _mark_present(ready: TightenOutcome) -> TightenOutcome:
    present = tuple(replace(each, state="present", no_new_privs=False) for each in ready.processes)
    return TightenOutcome(present, touched=False, settled=True)


def _check_needs(
    request: TightenRequest, further: FurtherFilter, facts: list[ProcessFacts]
) -> None:
    needs = find_denied_needs(FilterQuery(further.program), facts)
    if needs and not request.insist:
        raise SeclatchError(
            f"{further.name} would break {request.target}: {'; '.join(needs)}",
            remedy="allow these calls in the profile, or give --insist",
            status=2,
        )
    for need in needs:
        request.notify(f"{further.name}: {need}")


def _warn(report: TightenReport, target: TightenTarget, facts: list[ProcessFacts]) -> None:
    rings = [f"{fact.pid} ({fact.comm})" for fact in facts if fact.has_ring]
    if rings:
        report.warnings.append(
            "io_uring requests pass no filter: rings that are open already can still do what the "
            f"profile denies: {', '.join(rings[:_LISTED])}"
        )
    if report.container:
        report.warnings.append(
            "exec sessions that are started later are not under this profile, but under the one "
            "that the container was started with"
        )
    if any(each.no_new_privs for each in report.outcome.processes):
        found = list_setuid_programs(target.first.pid)
        report.setuid = found.paths
        report.warnings.append(describe_no_new_privs(found))


def describe_no_new_privs(found: SetuidPrograms) -> str:
    """Describe what setting no_new_privs changes for the programs of an image."""
    listed = ", ".join(found.paths[:_LISTED])
    more = f" and {len(found.paths) - _LISTED} more" if len(found.paths) > _LISTED else ""
    programs = f": {listed}{more}" if listed else " (the image has none)"
    partly = "" if found.complete else "; not all files were looked at"
    return (
        "no_new_privs is set, as the kernel demands (seccomp(2)); from now on set-uid and set-gid "
        f"programs and file capabilities give no privileges{programs}{partly}"
    )


def _rehearse(
    request: TightenRequest, target: TightenTarget, further: FurtherFilter, report: TightenReport
) -> None:
    if not request.rehearsal:
        return
    request.notify(
        f"watching {request.target} for {request.rehearsal:g} s; nothing is changed until then"
    )
    denied, calls = rehearse(target.first, request.target, further, request.rehearsal)
    report.rehearsed = request.rehearsal
    report.denied = denied
    if denied:
        raise DeniedInRehearsalError(denied)
    request.notify(f"{calls} calls were made, and none of them is denied")


def _record(report: TightenReport, further: FurtherFilter) -> None:
    """Record what was bound, so that `seclatch ps` names it."""
    bound = [(each.pid, each.start) for each in report.outcome.processes if each.state == "bound"]
    try:
        write_tightened(bound, further.code)
    except OSError as error:
        report.warnings.append(
            f"{FOLDER}: {error.strerror}: `seclatch ps` will not say that it was put on now"
        )


def _verify(report: TightenReport, further: FurtherFilter) -> None:
    """Read the filters of all bound processes back, without a stop."""
    pids = [each.pid for each in report.outcome.processes if each.state in ("bound", "present")]
    found = find_bound_threads(pids, further.code)
    if isinstance(found, str):
        report.verified = f"each bound thread was read when it was stopped, by ptrace ({found})"
    elif found.unbound:
        threads = ", ".join(map(str, found.unbound[:_LISTED]))
        report.outcome = replace(report.outcome, settled=False)
        report.verified = f"threads without the filter when it was read back: {threads}"
    else:
        count = len(found.bound)
        report.verified = f"read back from the kernel on {count} thread{'s' if count != 1 else ''}"
