"""Find exec sessions of the recorded container: their runtimes, from the runtime's exec on.

A session's runtime stays outside of the container and ends within some hundredths of a second: when
it is observed to enter, it is too late to look for it. So every process that is exec'd with the
container's id in its argv is followed, and kept if it enters the container or runs the program of
one that did. `docker logs ID` does neither (decision 0066).

A process that is forked into the container's pid namespace before its mount namespace is known is
kept only if it enters that as well: other containers and host processes may be in that pid
namespace.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from seclatch.recording.trace.assign_stages import SELF_EXEC_PREFIXES, list_ancestry
from seclatch.recording.trace.event_kinds import EventKind
from seclatch.recording.trace.trace import Segment, TaskFacts, Trace


class ExecSessions:
    """Finds sessions in a growing trace; the container is given by its namespaces."""

    def __init__(self, mounts: int = 0, pids: int = 0) -> None:
        self._mounts = mounts
        self._pids = pids
        self._looked = 0
        self._caller_of: dict[int, int] = {}  # by process: the caller that it is or descends from
        self._confirmed: set[int] = set()
        self._runtime_files: set[str] = set()

    def update(self, trace: Trace) -> None:
        """Process the segments since the last call."""
        for segment in islice(trace.segments.values(), self._looked, None):
            process = trace.processes[segment.process]
            if process.parent in self._caller_of:
                self._caller_of[process.id] = self._caller_of[process.parent]
            elif process.segments[0] == segment.id and self._is_caller(segment):
                self._caller_of[process.id] = process.id
                trace.session_callers.add(segment.id)
            elif segment.kind == EventKind.JOINED and not self.is_inside(segment.facts):
                self._caller_of[process.id] = process.id
            if process.id in self._caller_of and self.is_inside(segment.facts):
                self._confirm(trace, self._caller_of[process.id], segment)
        self._looked = len(trace.segments)

    def add_runtime_of(self, trace: Trace, process: int) -> None:
        """Note that this process made the container: the programs that it ran are runtimes."""
        self._runtime_files |= {
            trace.segments[number].file for number in trace.processes[process].segments
        }

    def find_unrelated(self, trace: Trace) -> set[int]:
        """Return the processes that named the container but do not belong to it."""
        proven = self._confirmed | {
            caller
            for caller in {*self._caller_of.values()}
            if any(
                trace.segments[number].file in self._runtime_files
                for number in trace.processes[caller].segments
            )
        }
        return {process for process, caller in self._caller_of.items() if caller not in proven}

    def list_trees(self) -> dict[int, list[int]]:
        """Return the processes of each caller, it and its descendants, the oldest first."""
        trees: dict[int, list[int]] = {}
        for process, caller in sorted(self._caller_of.items()):
            trees.setdefault(caller, []).append(process)
        return trees

    def forget(self, trace: Trace, processes: Iterable[int]) -> None:
        """Forget processes that the trace has dropped since the last update."""
        for process in processes:
            self._caller_of.pop(process, None)
            self._confirmed.discard(process)
        self._looked = len(trace.segments)

    def _is_caller(self, segment: Segment) -> bool:
        """Return whether a segment was noticed by its argv: exec'd outside, not followed before."""
        unseen = segment.kind == EventKind.EXEC and not segment.parent
        return unseen and not self.is_inside(segment.facts)

    def is_inside(self, facts: TaskFacts) -> bool:
        """Return whether a task is in the container's namespaces."""
        if self._mounts:
            return facts.mounts == self._mounts
        return bool(self._pids) and facts.pids == self._pids

    def _confirm(self, trace: Trace, caller: int, entered: Segment) -> None:
        """Record the runtime of a session: the last program exec'd outside before it entered."""
        if caller in self._confirmed:
            return
        self._confirmed.add(caller)
        for segment in list_ancestry(trace, entered):
            outside = segment.kind == EventKind.EXEC and not self.is_inside(segment.facts)
            if outside and not segment.file.startswith(SELF_EXEC_PREFIXES):
                self._runtime_files.add(segment.file)
                return
