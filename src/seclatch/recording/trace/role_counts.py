"""Sum up what the processes of each role do once they have started.

A filter is inherited: what is put on a role must allow what the processes created by it do, from
their first instruction. See docs/decisions/0133-filters-by-role.md.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from seclatch.model.recording.process_role import SETTLE_SECONDS, WORKER, fits_role, name_role
from seclatch.model.recording.recording import RecordedRole, RoleArgument, RoleCalls
from seclatch.model.stage import Stage
from seclatch.recording.trace.assign_stages import find_image
from seclatch.recording.trace.numbering import NumberedTrace
from seclatch.recording.trace.syscall_names import SyscallNames
from seclatch.recording.trace.trace import ArgumentKey, CallKey, Segment, SegmentCounts

_Key = TypeVar("_Key", CallKey, ArgumentKey)


@dataclass(slots=True)
class _RoleSums:
    processes: int = 0
    calls: Counter[CallKey] = field(default_factory=Counter)
    arguments: Counter[ArgumentKey] = field(default_factory=Counter)


def list_roles(numbered: NumberedTrace, names: SyscallNames) -> list[RecordedRole]:
    """Return the roles of a marked recording's program, sorted by name; else none."""
    if numbered.trace.ready is None:
        return []
    return [
        RecordedRole(
            name=role,
            processes=sums.processes,
            calls=list(_name_calls(sums.calls, names)),
            arguments=list(_name_arguments(sums.arguments, names)),
        )
        for role, sums in sorted(_sum_roles(numbered).items())
    ]


def _sum_roles(numbered: NumberedTrace) -> dict[str, _RoleSums]:
    segments = _group_segments(numbered)
    parents = _find_parents(numbered, segments)
    roles = {each: _find_role(numbered, segments, parents, each) for each in segments}
    sums: dict[str, _RoleSums] = defaultdict(_RoleSums)
    for process, role in roles.items():
        if role:
            sums[role].processes += 1
        above = set(_list_roles_above(process, parents, roles))
        for each in above | {role} - {""}:
            steady = each not in above and fits_role(role, WORKER)
            for segment in segments[process]:
                _add_counts(sums[each], segment, steady=steady)
    return sums


def _group_segments(numbered: NumberedTrace) -> dict[int, list[Segment]]:
    """Return the program's segments by process, without exec sessions."""
    found: dict[int, list[Segment]] = {}
    sessions = numbered.staging.sessions
    for segment in numbered.segments:
        session = numbered.staging.session_of.get(segment.id)
        joined = session is not None and sessions[session].joined
        if numbered.stage(segment) is Stage.PROGRAM and not joined:
            found.setdefault(segment.process, []).append(segment)
    return found


def _find_parents(numbered: NumberedTrace, segments: dict[int, list[Segment]]) -> dict[int, int]:
    """Return the process that each one was created by, where it is of the program, too."""
    trace = numbered.trace
    by_pid = {trace.processes[each].pid: each for each in segments}
    parents = {}
    for process, own in segments.items():
        parent = trace.processes[process].parent
        if parent is None:
            parent = by_pid.get(own[0].parent_pid)
        if parent in segments and parent != process:
            parents[process] = parent
    return parents


def _find_role(
    numbered: NumberedTrace,
    segments: dict[int, list[Segment]],
    parents: dict[int, int],
    process: int,
) -> str:
    parent = _find_living_parent(numbered, segments, parents, process)
    above = "" if parent is None else _find_program(numbered, segments[parent])
    return name_role(_find_program(numbered, segments[process]), above)


def _find_living_parent(
    numbered: NumberedTrace,
    segments: dict[int, list[Segment]],
    parents: dict[int, int],
    process: int,
) -> int | None:
    """Return the parent as /proc would name it once the process has started.

    A process whose parent has ended is a child of the container's first one from then on.
    """
    parent = parents.get(process)
    if parent is None:
        return None
    trace = numbered.trace
    ready = trace.ready[0] if trace.ready else 0
    then = max(ready, segments[process][-1].time + SETTLE_SECONDS * 10**9)
    ended = trace.processes[parent].ended
    if ended is None or ended > then:
        return parent
    sessions = numbered.staging.session_of
    session = sessions.get(segments[process][0].id)
    first = next(each for each in segments if sessions.get(segments[each][0].id) == session)
    return first if first != process else None


def _find_program(numbered: NumberedTrace, segments: list[Segment]) -> str:
    image = find_image(numbered.trace, segments[-1])
    return image.file if image else ""


def _list_roles_above(
    process: int, parents: dict[int, int], roles: dict[int, str]
) -> Iterator[str]:
    """Yield the roles of the processes that a process descends from."""
    seen = {process}
    while (found := parents.get(process)) is not None and found not in seen:
        process = found
        seen.add(process)
        if roles[process]:
            yield roles[process]


def _add_counts(sums: _RoleSums, segment: Segment, *, steady: bool) -> None:
    before: SegmentCounts | None = segment.before_ready
    if steady:
        before = segment.before_settled
    if before is None:
        return
    sums.calls.update(_subtract(segment.calls, before.calls))
    sums.arguments.update(_subtract(segment.arguments, before.arguments))


def _subtract(counts: Counter[_Key], before: Counter[_Key]) -> dict[_Key, int]:
    return {key: left for key, count in counts.items() if (left := count - before[key]) > 0}


def _name_calls(calls: Counter[CallKey], names: SyscallNames) -> Iterator[RoleCalls]:
    for (compat, number), count in sorted(calls.items()):
        arch, call, name = names.find_row(compat, number)
        yield RoleCalls(arch=arch, number=call, name=name, count=count)


def _name_arguments(arguments: Counter[ArgumentKey], names: SyscallNames) -> Iterator[RoleArgument]:
    for (number, index, value), count in sorted(arguments.items()):
        call = names.find_syscall(False, number)
        yield RoleArgument(
            arch=call.arch.title, name=call.name, index=index, value=value, count=count
        )
