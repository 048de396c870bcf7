"""Put filters on a user's own processes by their roles, without root.

See docs/decisions/0149-tightening-without-root.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from seclatch.process.tightened_records import find_own_folder
from seclatch.tighten.roles.live_roles import read_roles
from seclatch.tighten.roles.tighten_roles import RoleRequest, group_by_profile, join_reports
from seclatch.tighten.tighten_report import TightenReport
from seclatch.tighten.unprivileged.inherited_filters import find_unbound
from seclatch.tighten.unprivileged.own_processes import (
    OwnFilter,
    add_missed,
    find_own_target,
    list_starts,
    prepare_own,
    put_on_own,
)


def tighten_own_roles(wanted: RoleRequest) -> TightenReport:
    """Put the profile of its role on each process of the target, or raise SeclatchError.

    Nothing is touched unless all processes could be bound.
    """
    request = wanted.request
    target, before, configured = find_own_target(request)
    roles = read_roles([pid for pid, _ in before])
    filters: list[OwnFilter] = []
    for name, pids in group_by_profile(wanted, target.name, roles).items():
        own = replace(request, profile=wanted.profiles[name])
        filters.append(prepare_own(own, target, pids, configured, alone=True))
    done = all(each.prepared.present for each in filters)
    if request.options.dry_run or done:
        return join_reports(request, [each.prepared.report for each in filters], roles)
    reports = [
        each.prepared.report if each.prepared.present else put_on_own(each) for each in filters
    ]
    report = join_reports(request, reports, roles)
    count = int(bool(configured))

    def find_without(pids: Iterable[int]) -> list[int]:
        """Return those under the filter of no role: what main creates has its own."""
        left = list(pids)
        for each in filters:
            left = find_unbound(left, each.prepared.further.code, count, find_own_folder())
        return left

    if report.outcome.complete:
        add_missed(
            report,
            lambda: [each for each in list_starts(target) if each not in before],
            find_without,
            request.options.wait,
        )
    return report
