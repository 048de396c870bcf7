"""What a daemon did for this command, and what for others: nothing foreign is kept.

The fact that ties them is what the client tells its engine: the id of the container to start, or of
the exec session, which it writes to the engine's socket. The same id is on the command line of the
shim and of the runtime. Docker's client writes it into a path (`POST /containers/ID/start`),
containerd's and CRI's as a protobuf string, which its length precedes. Where a client tells but a
name (`docker start NAME`), the engine is asked for the id before (`seclatch.record.inquiry`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import PurePosixPath

from seclatch.record.trace import Process, Segment, Trace

_MAX_ID = 127
_VERBS = {"create", "start", "run", "delete", "kill", "state"}
_AFTER_PATH = (b"/", b"?", b" ")


def attribute(trace: Trace) -> Trace:
    """Answer the trace without what daemons did for others.

    The daemons themselves serve everybody: they are kept as a whole if they served this command.
    """
    if not any(process.found_running for process in trace.processes.values()):
        return trace
    return restrict(trace, find_kept(trace))


def restrict(trace: Trace, kept: set[int]) -> Trace:
    """Answer the trace of these processes alone."""
    processes = {number: each for number, each in trace.processes.items() if number in kept}
    segments = {number: each for number, each in trace.segments.items() if each.process in kept}
    return Trace(
        processes,
        segments,
        [each for each in trace.suspensions if each.segment in segments],
        trace.stray,
        trace.stray_rare,
        trace.living & kept,
        [each for each in trace.starts if each in segments],
        [each for each in trace.denials if each.segment in segments],
        trace.lost,
        trace.callers & segments.keys(),
        trace.named,
    )


def find_kept(trace: Trace) -> set[int]:
    """The processes that belong to the command: its descendants, and what was made for it."""
    said = _Said(trace)
    own: set[int] = set()
    served: set[int] = set()
    ids: dict[int, set[str]] = {}
    daemons: set[int] = set()
    for number in sorted(trace.processes):  # parents before children
        process = trace.processes[number]
        if process.found_running:
            daemons.add(number)
            continue
        parent = process.parent
        if parent is None or parent in own:
            own.add(number)
            continue
        ids[number] = ids.get(parent, set()) | set(_ids(trace, process))
        if any(said.has(each) for each in ids[number]):
            served.add(number)
    return own | served | (_involved(trace, served, daemons) if served else set())


def _involved(trace: Trace, served: set[int], daemons: set[int]) -> set[int]:
    """The daemons that made what was served, and those that are no shims of other containers."""
    parents = {trace.processes[each].parent for each in served}
    return {
        each
        for each in daemons
        if each in parents or not _is_shim(trace.segments[trace.processes[each].segments[0]])
    }


def _is_shim(segment: Segment) -> bool:
    return PurePosixPath(segment.file).name.startswith("containerd-shim")


def _ids(trace: Trace, process: Process) -> Iterator[str]:
    """The ids on the command lines that a process had, as shims and runtimes have them.

    `shim … -id CONTAINER … start`; `runc … create … CONTAINER`; `runc … exec … --pid-file
    …/EXEC.pid CONTAINER`, of which the container's id does not say whose the session is.
    """
    for number in process.segments:
        argv = trace.segments[number].argv
        shim = [*_after(argv, ("-id",))]
        yield from shim
        sessions = {PurePosixPath(path).stem for path in _after(argv, ("--pid-file",))}
        yield from sessions - {"init"}  # containerd's name for the first process of each
        if not shim and _VERBS & set(argv):
            yield argv[-1]


def _after(argv: tuple[str, ...], options: Iterable[str]) -> Iterator[str]:
    for option, value in pairwise(argv):
        if option in options:
            yield value


class _Said:
    """What the command's processes wrote to Unix sockets."""

    def __init__(self, trace: Trace) -> None:
        texts: list[bytes] = []
        for segment in trace.segments.values():
            if not _under_daemon(trace, trace.processes[segment.process]):
                texts += segment.said
        self._all = b"\0".join(texts)
        self._answers: dict[str, bool] = dict.fromkeys(trace.named, True)

    def has(self, identifier: str) -> bool:
        """Whether the id was said as a whole word of a path or a protobuf string."""
        if identifier not in self._answers:
            self._answers[identifier] = self._look(identifier.encode())
        return self._answers[identifier]

    def _look(self, word: bytes) -> bool:
        if not 0 < len(word) <= _MAX_ID:
            return False
        paths = [b"/" + word + after for after in _AFTER_PATH]
        return any(text in self._all for text in [*paths, bytes([len(word)]) + word])


def _under_daemon(trace: Trace, process: Process) -> bool:
    at: Process | None = process
    while at is not None:
        if at.found_running:
            return True
        at = None if at.parent is None else trace.processes.get(at.parent)
    return False
