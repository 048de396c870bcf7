"""Traces made by hand, as the kernel programs would report them."""

from __future__ import annotations

import itertools
from typing import Any

from seclatch.recording.trace.event_kinds import EventKind
from seclatch.recording.trace.trace import Segment, TaskFacts, Trace

HOST = TaskFacts(mounts=1, pids=1, users=1, root=1)
INSIDE = TaskFacts(mounts=2, pids=2, users=1, root=2, local_pid=1)


class Story:
    """A trace under construction; each method returns the new segment's number."""

    def __init__(self) -> None:
        self.trace = Trace()
        self._numbers = itertools.count(1)
        self._pids = itertools.count(100)
        self.root = self._add(EventKind.ROOT, 0, HOST)

    def _add(self, kind: EventKind, parent: int, facts: TaskFacts, **more: Any) -> int:
        number = next(self._numbers)
        segment = Segment(number, kind, parent, 0, number * 1000, 0, facts, **more)
        segment.calls[False, number] = 1
        self.trace.begin(segment, next(self._pids))
        return number

    def exec(self, parent: int, *argv: str, facts: TaskFacts = HOST, file: str = "") -> int:
        return self._add(EventKind.EXEC, parent, facts, file=file or argv[0], argv=argv)

    def fork(self, parent: int, facts: TaskFacts = HOST) -> int:
        return self._add(EventKind.FORK, parent, facts)

    def load(self, parent: int, facts: TaskFacts = INSIDE, filters: int = 1) -> int:
        values = {name: getattr(facts, name) for name in TaskFacts.__slots__}
        return self._add(EventKind.FILTER, parent, TaskFacts(**(values | {"filters": filters})))

    def found(self, *argv: str, user: int = 0) -> int:
        return self._add(EventKind.FOUND, 0, TaskFacts(uid=user), file=argv[0], argv=argv)

    def member(self, *argv: str, facts: TaskFacts = INSIDE) -> int:
        return self._add(EventKind.MEMBER, 0, facts, file=argv[0], argv=argv)

    def joined(self, file: str = "", facts: TaskFacts = INSIDE) -> int:
        return self._add(EventKind.JOINED, 0, facts, file=file)

    def says(self, segment: int, text: bytes) -> None:
        self.trace.segments[segment].said.append(text)

    def links(self, one: int, other: int) -> None:
        ends = tuple(self.trace.segments[segment].process for segment in (one, other))
        self.trace.socket_links |= {(ends[0], ends[1]), (ends[1], ends[0])}


def filtered(facts: TaskFacts = INSIDE) -> TaskFacts:
    values = {name: getattr(facts, name) for name in TaskFacts.__slots__}
    return TaskFacts(**(values | {"filters": 1}))
