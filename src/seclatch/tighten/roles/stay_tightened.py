"""Put filters by role on the processes that a container creates later, until it ends.

See docs/decisions/0133-filters-by-role.md.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace

from seclatch.errors import SeclatchError
from seclatch.model.recording.process_role import choose_role
from seclatch.system.procfs import read_start
from seclatch.system.signal_wait import await_signal
from seclatch.tighten.roles.live_roles import StartedProcesses, list_family, read_roles
from seclatch.tighten.roles.tighten_roles import RoleRequest, select_alone
from seclatch.tighten.tighten_container import prepare_filter, put_on
from seclatch.tighten.tighten_report import TightenReport
from seclatch.tighten.tighten_target import (
    TightenTarget,
    find_tighten_target,
    list_target_pids,
)

_INTERVAL = 0.25
_RETRY = 2.0
_STOP = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


def stay_tightened(wanted: RoleRequest) -> Iterator[TightenReport]:
    """Put the filter of its role on each process that the container creates from now on.

    Yields a report for those that were bound, until the container has ended, or a signal asks for
    the end. Exec sessions are left alone.
    """
    target = find_tighten_target(wanted.request.target)
    watched = _WatchedFamily(wanted, target)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
    try:
        while (pids := list_target_pids(target)) and not watched.has_ended():
            yield from watched.bind_new(pids)
            if await_signal(_STOP, _INTERVAL):
                return
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


class _WatchedFamily:
    def __init__(self, wanted: RoleRequest, target: TightenTarget) -> None:
        self._wanted, self._target = wanted, target
        self._first = target.first.pid
        self._start = read_start(self._first)
        self._started = StartedProcesses()
        self._known: set[tuple[int, int]] = set()
        self._later: dict[tuple[int, int], float] = {}

    def has_ended(self) -> bool:
        """Return whether the container's first process has."""
        return read_start(self._first) != self._start

    def bind_new(self, pids: list[int]) -> Iterator[TightenReport]:
        """Bind the processes that have started since the last look."""
        starts = {pid: read_start(pid) for pid in pids}
        alive = set(starts.items())
        self._known &= alive
        self._started.keep(alive)
        self._later = {each: then for each, then in self._later.items() if each in alive}
        due = [pid for pid, start in starts.items() if self._is_due(pid, start)]
        if not due:
            return
        roles, family = read_roles(pids), list_family(self._first, pids)
        for pid in due:
            name = choose_role(roles.get(pid, ""), self._wanted.profiles)
            if name is None or pid not in family:
                self._known.add((pid, starts[pid]))  # under the filters that it has inherited
            else:
                yield from self._bind(name, pid, starts[pid], roles)

    def _is_due(self, pid: int, start: int) -> bool:
        each = (pid, start)
        return (
            each not in self._known
            and self._later.get(each, 0.0) <= time.monotonic()
            and self._started.has_started(pid, start)
        )

    def _bind(
        self, name: str, pid: int, start: int, roles: Mapping[int, str]
    ) -> Iterator[TightenReport]:
        request = replace(self._wanted.request, profile=self._wanted.profiles[name])
        try:
            prepared = prepare_filter(request, select_alone(self._target, {pid: start}))
            report = prepared.report if prepared.present else put_on(request, prepared)
        except SeclatchError as error:
            self._put_off(pid, start, str(error))
            return
        if report.outcome.complete:
            self._known.add((pid, start))
        else:
            self._put_off(pid, start, "")
        if not prepared.present:
            report.roles, report.warnings = roles, []
            yield report

    def _put_off(self, pid: int, start: int, reason: str) -> None:
        """Try again later; say it once."""
        if reason and (pid, start) not in self._later and read_start(pid) == start:
            self._wanted.request.notify(f"process {pid} is tried again later: {reason}")
        self._later[pid, start] = time.monotonic() + _RETRY
