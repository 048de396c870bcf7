"""Put filters on the processes of a container by their roles.

See docs/decisions/0133-filters-by-role.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from seclatch.errors import SeclatchError
from seclatch.model.recording.process_role import choose_role
from seclatch.output.printable_text import make_printable
from seclatch.system.procfs import read_start, read_status
from seclatch.tighten.rehearse import rehearse_roles
from seclatch.tighten.roles.live_roles import read_roles
from seclatch.tighten.roles.missed_processes import find_missed
from seclatch.tighten.run_tighten import ProcessOutcome, TightenOutcome
from seclatch.tighten.tighten_container import (
    DeniedInRehearsalError,
    PreparedFilter,
    TightenRequest,
    prepare_filter,
    put_on,
    require_permission,
)
from seclatch.tighten.tighten_report import TightenReport
from seclatch.tighten.tighten_target import (
    TightenTarget,
    find_tighten_target,
    list_target_pids,
)

_SHOWN = 6


@dataclass(frozen=True, slots=True)
class RoleRequest:
    """`profiles`: a file for each role; that of "" is for processes of all others."""

    request: TightenRequest
    profiles: Mapping[str, Path]


def tighten_roles(wanted: RoleRequest) -> TightenReport:
    """Put the profile of its role on each process of the target, or raise SeclatchError.

    Nothing is touched unless all processes could be bound.
    """
    require_permission()
    request = wanted.request
    target = find_tighten_target(request.target)
    roles, prepared = _list_and_prepare(wanted, target)
    report = join_reports(request, [each.report for each in prepared.values()], roles)
    if request.options.dry_run or all(each.present for each in prepared.values()):
        return report
    report.rehearsed = _rehearse(request, target, prepared)
    if report.rehearsed:  # processes may have come and gone meanwhile
        roles, prepared = _list_and_prepare(wanted, target)
    done = [each.report if each.present else put_on(request, each) for each in prepared.values()]
    bound = join_reports(request, done, roles)
    bound.rehearsed = report.rehearsed
    codes = [each.further.code for each in prepared.values()]
    _add_missed(bound, target, codes, request.options.wait)
    return bound


def _list_and_prepare(
    wanted: RoleRequest, target: TightenTarget
) -> tuple[dict[int, str], dict[str, PreparedFilter]]:
    # Before the roles: a process that gets the id of one that has ended is not bound by its role.
    starts = {pid: read_start(pid) for pid in list_target_pids(target)}
    roles = read_roles(starts)
    return roles, _prepare_all(wanted, target, roles, starts)


def _add_missed(
    report: TightenReport, target: TightenTarget, codes: list[bytes], wait: float
) -> None:
    """Report processes that were in no list, and have no filter now, as not bound."""
    processes = report.outcome.processes
    handled = {(each.pid, each.start) for each in processes}
    missed = tuple(find_missed(target, handled, codes, wait))
    report.outcome = replace(report.outcome, processes=processes + missed)
    found = {each.pid: status.comm for each in missed if (status := read_status(each.pid))}
    report.names = {**report.names, **found}


def _prepare_all(
    wanted: RoleRequest, target: TightenTarget, roles: Mapping[int, str], starts: Mapping[int, int]
) -> dict[str, PreparedFilter]:
    members = group_by_profile(wanted, target.name, roles)
    return {
        name: prepare_filter(
            replace(wanted.request, profile=wanted.profiles[name]),
            select_alone(target, {pid: starts[pid] for pid in pids}),
        )
        for name, pids in members.items()
    }


def group_by_profile(
    wanted: RoleRequest, target: str, roles: Mapping[int, str]
) -> dict[str, list[int]]:
    """Return the processes for each of the wanted roles. Raises SeclatchError for any without.

    Main processes first: a worker that is created meanwhile inherits their filter.
    """
    members: dict[str, list[int]] = {}
    missing = set()
    for pid, role in roles.items():
        name = choose_role(role, wanted.profiles)
        if name is None:
            missing.add(role)
        else:
            members.setdefault(name, []).append(pid)
    if missing:
        raise SeclatchError(
            f"{target} has processes of roles without a profile: "
            f"{make_printable(', '.join(sorted(missing)[:_SHOWN]))}; nothing was touched",
            remedy="give each one (--profile ROLE=FILE), or one for the rest (--profile FILE)",
            status=2,
        )
    idle = sorted(set(wanted.profiles) - members.keys() - {""})
    if idle:
        raise SeclatchError(
            f"{target} has no process of role {', '.join(idle)}; its roles: "
            f"{make_printable(', '.join(sorted(set(roles.values()))[:_SHOWN]))}",
            remedy="see `seclatch show --by role` of its recording",
            status=2,
        )
    return {name: members[name] for name in sorted(members)}


def select_alone(target: TightenTarget, starts: Mapping[int, int]) -> TightenTarget:
    """Return these processes of a target alone: ids, and start times of when they were judged."""
    words = (f"{pid}:{start}" for pid, start in starts.items())
    return replace(target, selector=("--alone", *words))


def _rehearse(
    request: TightenRequest, target: TightenTarget, prepared: Mapping[str, PreparedFilter]
) -> float:
    if not request.rehearsal:
        return 0.0
    request.notify(
        f"watching {request.target} for {request.rehearsal:g} s; nothing is changed until then"
    )
    filters = {name: each.further for name, each in prepared.items()}
    denied, calls = rehearse_roles(target.first, request.target, filters, request.rehearsal)
    if denied:
        raise DeniedInRehearsalError(denied)
    request.notify(f"{calls} calls were made, and none of them is denied")
    return request.rehearsal


def join_reports(
    request: TightenRequest, reports: list[TightenReport], roles: Mapping[int, str]
) -> TightenReport:
    """Return one report on the processes of all roles."""
    processes: list[ProcessOutcome] = []
    for report in reports:
        processes += report.outcome.processes
    outcome = TightenOutcome(
        tuple(processes),
        any(report.outcome.touched for report in reports),
        all(report.outcome.settled for report in reports),
    )
    return TightenReport(
        request.target,
        ", ".join(report.profile for report in reports),
        reports[0].container if reports else "",
        outcome,
        {pid: name for report in reports for pid, name in report.names.items()},
        "; ".join(dict.fromkeys(each.verified for each in reports if each.verified)),
        setuid=list(dict.fromkeys(path for report in reports for path in report.setuid)),
        warnings=list(dict.fromkeys(text for report in reports for text in report.warnings)),
        roles=roles,
    )
