"""Traces by hand: what the kernel programs would have seen."""

from __future__ import annotations

import itertools
from typing import Any

from seclatch.recording.trace.event_kinds import Kind
from seclatch.recording.trace.trace import Facts, Segment, Trace

HOST = Facts(mounts=1, pids=1, users=1, root=1)
INSIDE = Facts(mounts=2, pids=2, users=1, root=2, local_pid=1)


class Story:
    """A trace under construction; each method answers the new segment's number."""

    def __init__(self) -> None:
        self.trace = Trace()
        self._numbers = itertools.count(1)
        self._pids = itertools.count(100)
        self.root = self._add(Kind.ROOT, 0, HOST)

    def _add(self, kind: Kind, parent: int, facts: Facts, **more: Any) -> int:
        number = next(self._numbers)
        segment = Segment(number, kind, parent, 0, number * 1000, 0, facts, **more)
        segment.calls[False, number] = 1
        self.trace.begin(segment, next(self._pids))
        return number

    def exec(self, parent: int, *argv: str, facts: Facts = HOST, file: str = "") -> int:
        return self._add(Kind.EXEC, parent, facts, file=file or argv[0], argv=argv)

    def fork(self, parent: int, facts: Facts = HOST) -> int:
        return self._add(Kind.FORK, parent, facts)

    def load(self, parent: int, facts: Facts = INSIDE, filters: int = 1) -> int:
        values = {name: getattr(facts, name) for name in Facts.__slots__}
        return self._add(Kind.FILTER, parent, Facts(**(values | {"filters": filters})))

    def found(self, *argv: str, user: int = 0) -> int:
        return self._add(Kind.FOUND, 0, Facts(uid=user), file=argv[0], argv=argv)

    def member(self, *argv: str, facts: Facts = INSIDE) -> int:
        return self._add(Kind.MEMBER, 0, facts, file=argv[0], argv=argv)

    def joined(self, file: str = "", facts: Facts = INSIDE) -> int:
        return self._add(Kind.JOINED, 0, facts, file=file)

    def says(self, segment: int, text: bytes) -> None:
        self.trace.segments[segment].said.append(text)

    def links(self, one: int, other: int) -> None:
        ends = tuple(self.trace.segments[each].process for each in (one, other))
        self.trace.links |= {(ends[0], ends[1]), (ends[1], ends[0])}


def filtered(facts: Facts = INSIDE) -> Facts:
    values = {name: getattr(facts, name) for name in Facts.__slots__}
    return Facts(**(values | {"filters": 1}))
