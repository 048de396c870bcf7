"""Put a filter on a user's own container or process, without root.

Seccomp cannot be suspended there, and filters cannot be read: the present ones are known by the
container's configuration and by records, asked beforehand, and counted.
See docs/decisions/0149-tightening-without-root.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from seclatch.errors import SeclatchError
from seclatch.process.tightened_records import find_own_folder, write_tightened
from seclatch.system.procfs import read_start
from seclatch.tighten.further_filter import FurtherFilter
from seclatch.tighten.process_facts import read_process_facts
from seclatch.tighten.run_tighten import (
    MISSED,
    ProcessOutcome,
    TightenOptions,
    count_ticks,
    make_outcome,
    run_tighten,
)
from seclatch.tighten.tighten_container import (
    PreparedFilter,
    TightenRequest,
    compile_for_target,
    make_present_report,
    prepare_filter,
    read_names,
    require_supported_architecture,
)
from seclatch.tighten.tighten_report import TightenReport
from seclatch.tighten.tighten_target import (
    TightenTarget,
    find_tighten_target,
    list_target_pids,
)
from seclatch.tighten.unprivileged.inherited_filters import (
    JudgedProcesses,
    find_unbound,
    find_uncounted_threads,
    judge_processes,
)
from seclatch.tighten.unprivileged.present_filters import (
    NamedFilter,
    choose_method,
    make_named,
    read_configured_filters,
)
from seclatch.tighten.unprivileged.traceable_processes import require_traceable

_SHOWN = 6
_EVERY = 0.1


@dataclass(frozen=True, slots=True)
class OwnFilter:
    """A filter for a user's own processes, prepared; `request` says how it is loaded."""

    request: TightenRequest
    prepared: PreparedFilter
    judged: JudgedProcesses


def tighten_own_processes(request: TightenRequest) -> TightenReport:
    """Put the profile on all processes of a target of this user's. Raises SeclatchError."""
    target, starts, configured = find_own_target(request)
    own = prepare_own(request, target, [pid for pid, _ in starts], configured)
    judged, code = own.judged, own.prepared.further.code
    before = {(pid, read_start(pid)) for pid in judged.bound}
    if own.prepared.present or request.options.dry_run:
        return own.prepared.report
    report = put_on_own(own)
    if judged.bound and report.outcome.complete:
        add_missed(
            report,
            lambda: [each for each in list_starts(target) if each not in before],
            lambda pids: find_unbound(pids, code, int(bool(configured)), find_own_folder()),
            own.request.options.wait,
        )
    return report


def find_own_target(
    request: TightenRequest,
) -> tuple[TightenTarget, list[tuple[int, int]], list[NamedFilter]]:
    """Find the target, its processes, and the filters of its configuration. Raises SeclatchError.

    Processes are ids and start times.
    """
    require_supported_architecture()
    _refuse_rehearsal(request)
    target = find_tighten_target(request.target)
    starts = list_starts(target)
    require_traceable([pid for pid, _ in starts])
    return target, starts, read_configured_filters(target.first.pid)


def prepare_own(
    request: TightenRequest,
    target: TightenTarget,
    pids: Iterable[int],
    configured: list[NamedFilter],
    *,
    alone: bool = False,
) -> OwnFilter:
    """Prepare the filter for processes of the target; nothing is touched. Raises SeclatchError.

    `alone`: these are not all of it.
    """
    further = compile_for_target(request, target)
    judged = judge_processes(pids, further.code, int(bool(configured)), find_own_folder())
    if not judged.unbound and (judged.bound or alone):
        report = make_present_report(request, target, further, judged.bound)
        return OwnFilter(request, PreparedFilter(target, further, report, present=True), judged)
    layers = [make_named(f"the profile put on {each.when}", each.code) for each in judged.layers]
    chosen = _choose_options(request, judged, [*configured, *layers], further)
    wanted = replace(request, options=chosen)
    selected = _select_unbound(target, judged) if alone or judged.bound else target
    return OwnFilter(wanted, prepare_filter(wanted, selected), judged)


def _refuse_rehearsal(request: TightenRequest) -> None:
    if request.rehearsal and not request.options.dry_run:
        raise SeclatchError(
            "a rehearsal records the container by eBPF, which takes root",
            remedy="give --now to put it on without one; `seclatch record -- podman run …` records "
            "without root, and `seclatch report FILE --profile PROFILE` shows what would be denied",
            status=2,
        )


def _choose_options(
    request: TightenRequest,
    judged: JudgedProcesses,
    present: list[NamedFilter],
    further: FurtherFilter,
) -> TightenOptions:
    method = choose_method(present, further, read_process_facts(judged.unbound))
    words = ["--present", str(judged.count)]
    words += ["--by-prctl"] if method.by_prctl else []
    words += [] if method.restarts else ["--no-restart"]
    if method.by_prctl:
        request.notify("seccomp(2) is denied: prctl(2) binds the threads one by one")
    if not method.restarts:
        request.notify(
            "restart_syscall is denied: a thread that is stopped in a sleep begins it again"
        )
    return replace(request.options, unsuspended=tuple(words))


def _select_unbound(target: TightenTarget, judged: JudgedProcesses) -> TightenTarget:
    """Return the target without processes that are bound already: their filters cannot be read."""
    words = [f"{pid}:{read_start(pid)}" for pid in judged.unbound]
    return replace(target, selector=("--alone", *words))


def put_on_own(own: OwnFilter) -> TightenReport:
    """Put a prepared filter on its processes, count theirs, and record it."""
    report, further = own.prepared.report, own.prepared.further
    report.outcome = run_tighten(own.prepared.target.selector, further, own.request.options)
    report.names = {**report.names, **read_names(report.outcome.processes)}
    bound = [each for each in report.outcome.processes if each.state in ("bound", "present")]
    _verify(report, bound, own.judged.count + 1)
    try:
        processes = [(each.pid, each.start) for each in bound]
        loaded = report.outcome.loaded or count_ticks()
        write_tightened(processes, further.code, find_own_folder(), loaded=loaded)
    except OSError as error:
        report.warnings.append(
            f"{find_own_folder()}: {error.strerror}: no record of this run: another one will not "
            "know which filters the processes have, and refuse"
        )
    return report


def list_starts(target: TightenTarget) -> list[tuple[int, int]]:
    """List the target's processes: ids and start times."""
    return [(pid, read_start(pid)) for pid in list_target_pids(target)]


def add_missed(
    report: TightenReport,
    list_others: Callable[[], list[tuple[int, int]]],
    judge: Callable[[list[int]], list[int]],
    wait: float,
) -> None:
    """List the target again: what was created before its creator was bound has no filter.

    `list_others`: ids and start times without those that were bound before; `judge` returns the
    unbound ones. Most of them end soon, and get `wait` seconds.
    """
    handled = {(each.pid, each.start) for each in report.outcome.processes}
    until = time.monotonic() + wait
    while unbound := judge([each[0] for each in list_others() if each not in handled]):
        if time.monotonic() >= until:
            missed = tuple(make_outcome(pid, "unbound", MISSED) for pid in unbound)
            processes = (*report.outcome.processes, *missed)
            report.outcome = replace(report.outcome, processes=processes)
            report.names = {**report.names, **read_names(missed)}
            return
        time.sleep(_EVERY)


def _verify(report: TightenReport, bound: list[ProcessOutcome], count: int) -> None:
    fine, missing = find_uncounted_threads([each.pid for each in bound], count)
    if missing:
        report.outcome = replace(report.outcome, settled=False)
        threads = ", ".join(map(str, missing[:_SHOWN]))
        report.verified = f"threads that have not {count} filters afterwards: {threads}"
    else:
        threads = f"{len(fine)} thread{'s' if len(fine) != 1 else ''}"
        report.verified = (
            f"the kernel accepted the filter, and counts {count} on {threads}; to read it back "
            "takes root"
        )
