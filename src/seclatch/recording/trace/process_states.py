"""The states of processes over time (context): each distinct state once, referred to by number."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from seclatch.model.recording.process_context import (
    CapabilitySets,
    ContextChange,
    NamespaceInodes,
    ProcessContext,
)
from seclatch.recording.trace.event_kinds import EventKind
from seclatch.recording.trace.trace import TaskFacts, Trace, TracedProcess

_UNKNOWN = (EventKind.ROOT, EventKind.FOUND)
"""Segments without a known state: the recorder's own child, and daemons found running."""


class ContextTable:
    """Numbers contexts in order of their first use; `table` holds them all."""

    def __init__(self, trace: Trace, seconds: Callable[[int], float]) -> None:
        self._trace = trace
        self._seconds = seconds
        self._numbers: dict[ProcessContext, int] = {}
        self._changes: dict[int, list[tuple[int, int, bool]]] = {}
        for suspension in trace.suspensions:
            if found := trace.segments.get(suspension.segment):
                change = (suspension.time, suspension.tid, suspension.lifted)
                self._changes.setdefault(found.process, []).append(change)

    @property
    def table(self) -> list[ProcessContext]:
        """Return all numbered contexts, by number."""
        return list(self._numbers)

    def list_changes(self, process: TracedProcess) -> list[ContextChange]:
        """Return the process's contexts in order of time, without repetitions."""
        moments: list[ContextChange] = []
        for time, thread, facts in self._list_states(process):
            number = self._number_context(_make_context(facts))
            if not moments or moments[-1].context != number:
                moment = ContextChange(time=self._seconds(time), thread=thread, context=number)
                moments.append(moment)
        return moments

    def _list_states(self, process: TracedProcess) -> Iterator[tuple[int, int, TaskFacts]]:
        segments = [self._trace.segments[number] for number in process.segments]
        states = [
            (segment.time, segment.tid, segment.facts)
            for segment in segments
            if segment.kind not in _UNKNOWN
        ]
        changes = self._changes.get(process.id, ())
        at: TaskFacts | None = None
        for time, thread, what in sorted([*states, *changes], key=lambda change: change[0]):
            if isinstance(what, TaskFacts):
                at = what
            elif at is not None:
                at = replace(at, suspended=what)
            if at is not None:
                yield time, thread, at

    def _number_context(self, context: ProcessContext) -> int:
        return self._numbers.setdefault(context, len(self._numbers))


def _make_context(facts: TaskFacts) -> ProcessContext:
    return ProcessContext(
        uid=facts.uid,
        gid=facts.gid,
        euid=facts.euid,
        egid=facts.egid,
        capabilities=_make_capabilities(facts.capabilities),
        namespaces=NamespaceInodes(
            mnt=facts.mounts,
            pid=facts.pids,
            user=facts.users,
            net=facts.net,
            ipc=facts.ipc,
            uts=facts.uts,
            cgroup=facts.cgroup,
        ),
        no_new_privs=facts.no_new_privs,
        seccomp=facts.seccomp,
        filters=facts.filters,
        suspended=facts.suspended,
    )


def _make_capabilities(sets: tuple[int, ...]) -> CapabilitySets | None:
    if len(sets) != 5:
        return None
    inheritable, permitted, effective, bounding, ambient = (f"{mask:016x}" for mask in sets)
    return CapabilitySets(
        inheritable=inheritable,
        permitted=permitted,
        effective=effective,
        bounding=bounding,
        ambient=ambient,
    )
