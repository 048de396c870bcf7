"""Which processes get a lane of their own on the timeline, and in which order. Pure.

A page must stay readable, and small, whatever was recorded: the chains from the client to the
programs come first, then what was denied something, then other programs; the rest of each stage
shares a lane.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import PurePosixPath

from msgspec.structs import replace

from seclatch.model.recording.recording import Recording
from seclatch.model.stage import Stage
from seclatch.report.document.process_history import ProcessHistory
from seclatch.report.document.process_names import STAGE_LINE, name_process
from seclatch.report.document.report_document import Lane, Mark, Span
from seclatch.report.timeline.lane_marks import make_marks

MAX_LANES = 24
MAX_CHAINS = 4
MAX_SHARED = 60
"""Spans of a shared lane at most."""
MAX_SPANS = 100
"""Spans of a process at most; the last one then stands for all that follow."""
IDLE = 10
"""A daemon that made so many times fewer calls than its like served somebody else."""


def choose_lanes(recording: Recording, made: dict[int, ProcessHistory]) -> list[Lane]:
    """Choose and make the lanes, by stage and then by birth."""
    chosen = _choose(recording, made)
    rest: dict[str, list[ProcessHistory]] = {}
    for id_, history in made.items():
        if id_ not in chosen:
            rest.setdefault(history.stage, []).append(history)
    denied = list_denials(recording)
    parents = {each.id: each for each in recording.processes}
    own = [
        _lane(made[id_], denied.get(id_, {}), name_process(parents[id_], parents)) for id_ in chosen
    ]
    own = _mark_ready(own, recording)
    shared = [_shared(stage, members) for stage, members in rest.items()]
    return sorted([*own, *shared], key=_place)


def _mark_ready(lanes: list[Lane], recording: Recording) -> list[Lane]:
    """Mark the moment on the first process of each container's program, or of the first one."""
    if recording.ready is None:
        return lanes
    first = {each.process for each in recording.sessions if not each.joined}
    if not first:
        programs = (each.process for each in lanes if each.stage == Stage.PROGRAM.value)
        first = set(itertools.islice((each for each in sorted(filter(None, programs))), 1))
    mark = Mark(
        time=recording.ready.time, kind="ready", text=f"ready ({recording.ready.condition})"
    )
    return [
        replace(each, marks=sorted([*each.marks, mark], key=lambda one: one.time))
        if each.process in first
        else each
        for each in lanes
    ]


def list_denials(recording: Recording) -> dict[int, dict[str, dict[str, int]]]:
    """List denied calls: process, stage, name, count."""
    found: dict[int, dict[str, dict[str, int]]] = {}
    for each in recording.denials:
        if each.process is not None:
            names = found.setdefault(each.process, {}).setdefault(each.stage, {})
            name = each.name or f"#{each.number}"
            names[name] = names.get(name, 0) + each.count
    return found


def _place(lane: Lane) -> tuple[int, bool, float]:
    order = STAGE_LINE.index(lane.stage) if lane.stage in STAGE_LINE else len(STAGE_LINE)
    return order, lane.process is None, lane.spans[0].begin


def _choose(recording: Recording, made: dict[int, ProcessHistory]) -> list[int]:
    chain = {
        id_
        for session in recording.sessions[:MAX_CHAINS]
        for id_ in list_ancestors(session.process, made)
    }
    denied = {each.process for each in recording.denials}
    total: dict[int | None, int] = {}
    for each in recording.calls:
        total[each.process] = total.get(each.process, 0) + each.count

    def rank(id_: int) -> tuple[bool, bool, bool, bool, int]:
        process = made[id_].process
        return (
            id_ not in chain,
            id_ not in denied,
            not process.found_running,
            not process.images,
            -total.get(id_, 0),
        )

    idle = _idle(made, total) - chain

    def trifle(id_: int) -> bool:
        """Return whether a process deserves no lane of its own.

        That is a helper that was forked and ended without exec (not one of a program), or an
        unrelated engine of the machine.
        """
        process = made[id_].process
        return id_ in idle or not (
            id_ in chain
            or id_ in denied
            or process.images
            or process.found_running
            or made[id_].stage == Stage.PROGRAM.value
        )

    return sorted((id_ for id_ in made if not trifle(id_)), key=rank)[:MAX_LANES]


def _idle(made: dict[int, ProcessHistory], total: dict[int | None, int]) -> set[int]:
    """Daemons that ran already and had next to no part in it: every engine is followed."""
    daemons: dict[str, list[int]] = {}
    for id_, history in made.items():
        process = history.process
        if process.found_running and process.images and history.stage == Stage.ENGINE.value:
            name = PurePosixPath(process.images[-1].exe).name
            daemons.setdefault(name, []).append(id_)
    return {
        id_
        for alike in daemons.values()
        for id_ in alike
        if total.get(id_, 0) * IDLE < max(total.get(each, 0) for each in alike)
    }


def list_ancestors(id_: int | None, made: dict[int, ProcessHistory]) -> Iterator[int]:
    """Name a process and those it descends from, the nearest first."""
    seen: set[int] = set()
    while id_ is not None and id_ in made and id_ not in seen:
        seen.add(id_)
        yield id_
        id_ = made[id_].process.parent


def _lane(history: ProcessHistory, denied: dict[str, dict[str, int]], name: str) -> Lane:
    process = history.process
    return Lane(
        process=process.id,
        pid=process.pid,
        stage=history.stage,
        title=name,
        session=process.session,
        spans=_few(history.spans),
        marks=make_marks(history, denied),
        found_running=process.found_running,
        survived=process.ended is None,
    )


def _few(spans: list[Span]) -> list[Span]:
    if len(spans) <= MAX_SPANS:
        return spans
    return [*spans[: MAX_SPANS - 1], replace(spans[MAX_SPANS - 1], end=spans[-1].end)]


def _shared(stage: str, members: list[ProcessHistory]) -> Lane:
    """One lane for many: where at least one of them was alive, in the state that most ended in."""
    states = [each.state for each in members]
    state = max(sorted(set(states)), key=states.count)
    spans: list[Span] = []
    for begin, end in _joined(sorted((each.begin, each.end) for each in members)):
        spans.append(Span(begin=begin, end=end, stage=stage, state=state))
    return Lane(
        process=None,
        pid=None,
        stage=stage,
        title=f"{len(members):,} more"
        if any(each.process.images for each in members)
        else f"{len(members):,} helper{'s (forks)' if len(members) > 1 else ' (fork)'}",
        session=None,
        spans=spans,
        marks=[],
        count=len(members),
    )


def _joined(lives: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Join lives that touch, and the nearest ones until there are few."""
    joined: list[tuple[float, float]] = []
    for begin, end in lives:
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((begin, end))
    if len(joined) > MAX_SHARED:
        gaps = sorted(later[0] - earlier[1] for earlier, later in itertools.pairwise(joined))
        small = gaps[len(joined) - MAX_SHARED - 1]
        few = [joined[0]]
        for begin, end in joined[1:]:
            if begin - few[-1][1] <= small:
                few[-1] = (few[-1][0], max(end, few[-1][1]))
            else:
                few.append((begin, end))
        return few
    return joined
