"""What denial logs cover: how long was watched, what was seen, and how long nothing new was."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from seclatch.errors import SeclatchError
from seclatch.model.denial_log import WatchEvent
from seclatch.model.recording.recorded_programs import list_executed
from seclatch.model.recording.recording import Recording
from seclatch.profile.amend.denial_log_file import DenialLog, LoggedGroup, parse_time

_MAX_NAMES = 20

Interval = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Quiet:
    """How long was watched since the last new denial (`since`; None: there was none at all)."""

    watched: timedelta
    since: datetime | None


def list_intervals(log: DenialLog) -> list[Interval]:
    """Return the times in which the watcher ran; one that was killed, until its last line."""
    by_host: dict[str, list[WatchEvent]] = {}
    for event in log.events:
        by_host.setdefault(event.host.id, []).append(event)
    return [(times[0], times[-1]) for events in by_host.values() for times in _split_runs(events)]


def _split_runs(events: Iterable[WatchEvent]) -> Iterator[list[datetime]]:
    """Yield the times of each run's events, from its begin to its end or to the next begin."""
    run: list[datetime] = []
    for time, event in sorted((parse_time(event.time), event.event) for event in events):
        if event == "begin" and run:
            yield run
            run = []
        if run or event == "begin":
            run.append(time)
        if event == "end" and run:
            yield run
            run = []
    if run:
        yield run


def measure_quiet(logs: Sequence[DenialLog], is_new: Callable[[LoggedGroup], bool]) -> Quiet:
    """Measure the watched time since the last denial that the profile would deny."""
    times = [group.last for log in logs for group in log.groups if is_new(group)]
    times += [
        parse_time(event.time) for log in logs for event in log.events if event.event == "lost"
    ]
    since = max(times, default=None)
    return Quiet(sum_time(list_all(logs), since), since)


def list_all(logs: Iterable[DenialLog]) -> list[Interval]:
    """Return the intervals of all logs; where they overlap, one."""
    merged: list[Interval] = []
    for begin, end in sorted(each for log in logs for each in list_intervals(log)):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged


def sum_time(intervals: Iterable[Interval], since: datetime | None = None) -> timedelta:
    """Add up the intervals, from `since` on."""
    start = since or datetime.min.replace(tzinfo=UTC)
    return sum((max(end - max(begin, start), timedelta()) for begin, end in intervals), timedelta())


def require_quiet(logs: Sequence[DenialLog], quiet: Quiet, asked: timedelta) -> None:
    """Raise SeclatchError unless so much time was watched, without gaps in what was seen."""
    if not asked:
        return
    if not logs:
        raise SeclatchError(
            "enforcing needs the log of the trial",
            remedy="give --watch-log FILE, or --quiet-for 0 to enforce without one",
            status=2,
        )
    for log in logs:
        if log.unread:
            raise SeclatchError(
                f"{log.source}: {_lines(log.unread)} cannot be read and may be new denials",
                remedy="remove them from the log if they are none",
                status=2,
            )
        begins = [event for event in log.events if event.event == "begin"]
        blind = [event for event in begins if "log" not in event.sees]
        if blind or not begins:
            cause = "its watcher does not see SCMP_ACT_LOG" if blind else "it has no begin event"
            raise SeclatchError(f"{log.source}: {cause}: it does not show a trial", status=2)
    if quiet.watched < asked:
        after = (
            f"since the last new denial, {quiet.since:%Y-%m-%d %H:%M:%S} UTC"
            if (quiet.since)
            else "in all, without a new denial"
        )
        raise SeclatchError(
            f"watched {format_time(quiet.watched)} {after}; --quiet-for asks for "
            f"{format_time(asked)}",
            remedy="amend the profile by what is new and watch on, or give a shorter --quiet-for",
            status=1,
        )


def list_facts(
    logs: Sequence[DenialLog], recordings: Sequence[Recording], quiet: Quiet
) -> Iterator[str]:
    """Yield what the logs of a trial have shown, and what they have not."""
    if not logs:
        return
    intervals = list_all(logs)
    hosts = sorted({host.name for log in logs for host in log.hosts})
    containers = {group.container_id for log in logs for group in log.groups} - {""}
    begins = sum(event.event == "begin" for log in logs for event in log.events)
    yield (
        f"watched {format_time(sum_time(intervals))} on {_names(hosts)}, in {len(intervals)} "
        f"{'piece' if len(intervals) == 1 else 'pieces'}; the watcher was started {begins} "
        f"{'time' if begins == 1 else 'times'}"
    )
    yield f"watched {format_time(quiet.watched)} since the last new denial"
    yield f"containers with a denial: {len(containers)}"
    groups = [group.seen for log in logs for group in log.groups if not group.seen.runtime]
    seen = {each.exe for each in groups} - {""}
    yield f"executables with a denial: {_names(sorted(seen))}"
    if recordings:
        executed = {each.exe for recording in recordings for each in list_executed(recording)}
        yield f"executables recorded, and without a denial: {_names(sorted(executed - seen))}"
    sessions = sum(each.count for each in groups if each.session)
    yield f"denials in exec sessions and health checks: {sessions or 'none'}"
    lost = sum(event.count for log in logs for event in log.events if event.event == "lost")
    if lost:
        yield f"denials that no line describes: {lost}"
    chosen = sorted({word for log in logs for event in log.events for word in event.selection})
    if chosen:
        yield f"the watcher chose processes by: {_names(chosen)}"


def format_time(time: timedelta) -> str:
    """Write a duration in its two largest units: `26 h 10 min`."""
    seconds = int(time.total_seconds())
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MAX_NAMES]) or "none"
    return shown + (f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else "")


def _lines(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:5]))
    more = f" and {len(numbers) - 5} more" if len(numbers) > 5 else ""
    return f"{'line' if len(numbers) == 1 else 'lines'} {shown}{more}"


def describe_unread(log: DenialLog) -> str:
    """Say which lines of a log were not read."""
    return f"{log.source}: {_lines(log.unread)} cut off or no line of a denial log: not read"
