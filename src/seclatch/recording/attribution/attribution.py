"""Attribute what daemons did to the recorded command; drop what they did for other clients.

The link is the id that the client sends to its engine: of the container to start, or of the exec
session. The same id is in the argv of the shim and of the runtime. Docker's client writes it into a
path (`POST /containers/ID/start`), containerd's clients and CRI as a protobuf string, which its
length precedes. Where a client gives only a name (`docker start NAME`), the engine is asked for the
id before (`seclatch.recording.attribution.image_lookup`). See decisions 0076 and 0084.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import PurePosixPath

from seclatch.recording.trace.assign_stages import EnteredSession
from seclatch.recording.trace.trace import Trace, TracedProcess

_MAX_ID = 127
_VERBS = {"create", "start", "run", "delete", "kill", "state"}
_PATH_ENDS = (b"/", b"?", b" ")


def drop_unrelated(trace: Trace) -> Trace:
    """Return the trace without what daemons did for other clients.

    Daemons serve all clients at once: those that took part are kept as a whole.
    """
    if not any(process.found_running for process in trace.processes.values()):
        return trace
    return restrict_trace(trace, find_related(trace))


def restrict_trace(trace: Trace, kept: set[int]) -> Trace:
    """Return the trace of these processes alone."""
    processes = {number: process for number, process in trace.processes.items() if number in kept}
    segments = {
        number: segment for number, segment in trace.segments.items() if segment.process in kept
    }
    return Trace(
        processes,
        segments,
        [suspension for suspension in trace.suspensions if suspension.segment in segments],
        trace.stray,
        trace.stray_rare,
        trace.living & kept,
        [segment for segment in trace.starts if segment in segments],
        [denial for denial in trace.denials if denial.segment in segments],
        trace.lost,
        trace.session_callers & segments.keys(),
        trace.named_containers,
        trace.bulk,
        [segment for segment in trace.socket_writers if segment in segments],
        {pair for pair in trace.socket_links if kept.issuperset(pair)},
        ready=trace.ready,
        folded=trace.folded,
    )


def find_related(trace: Trace) -> set[int]:
    """Find the processes that belong to the command: its descendants, and what was made for it."""
    writes = _SocketWrites(trace)
    own: set[int] = set()
    served: set[int] = set()
    ids: dict[int, set[str]] = {}
    daemons = {process.id for process in trace.processes.values() if process.found_running}
    trusted = find_trusted_daemons(trace)
    for number in sorted(trace.processes.keys() - daemons):  # parents before children
        process = trace.processes[number]
        parent = process.parent
        if parent is None or parent in own:
            own.add(number)
            continue
        if parent not in trusted and parent not in ids:
            continue
        ids[number] = ids.get(parent, set()) | set(_list_ids(trace, process))
        if any(writes.has(identifier) for identifier in ids[number]):
            served.add(number)
    return own | served | (_find_involved_daemons(trace, served, trusted) if served else set())


def find_session_family(trace: Trace, session: EnteredSession) -> set[int]:
    """Return the process of a session's runtime, all below it, and those above it."""
    top = trace.segments[session.runtime].process
    kept = {top}
    for number in sorted(trace.processes):
        if trace.processes[number].parent in kept:
            kept.add(number)
    above = trace.processes[top].parent
    while above is not None and above in trace.processes:
        kept.add(above)
        above = trace.processes[above].parent
    return kept


def find_trusted_daemons(trace: Trace) -> set[int]:
    """Find the daemons that may be the command's engines; any user may name a program `containerd`.

    Trusted are those of root, of the recording user, and of the user to whose daemon the command is
    connected (decision 0026).
    """

    daemons = {process.id for process in trace.processes.values() if process.found_running}

    def user(daemon: int) -> int:
        return trace.segments[trace.processes[daemon].segments[0]].facts.uid

    users = {0, os.getuid(), _find_sudo_user()}
    users |= {user(process) for process in _find_connected_daemons(trace, daemons)}
    return {process for process in daemons if user(process) in users}


def _find_sudo_user() -> int:
    """Return the user who became root by sudo(8); other environment variables are not trusted."""
    word = os.environ.get("SUDO_UID", "")
    return int(word) if word.isascii() and word.isdecimal() else 0


def _find_connected_daemons(trace: Trace, daemons: set[int]) -> set[int]:
    """Find the daemons at the other end of the command's connections."""
    return {
        daemon
        for client, daemon in trace.socket_links
        if daemon in daemons and not is_under_daemon(trace, trace.processes[client])
    }


def _find_involved_daemons(trace: Trace, served: set[int], daemons: set[int]) -> set[int]:
    """Find the daemons that took part in serving the command.

    These made the containers, were asked by the command, or are between the two (containerd,
    between Docker and a shim that runs already). A daemon that is connected to a single other one
    is not between two: it is the shim of another container.
    """
    made = daemons & {trace.processes[process].parent for process in served}
    asked = _find_connected_daemons(trace, daemons)
    return (
        made | asked | {process for process in daemons if _is_between(trace, process, asked, made)}
    )


def _is_between(trace: Trace, daemon: int, asked: set[int], made: set[int]) -> bool:
    """Return whether a request can have passed through: in from one daemon, out to another."""
    return any(
        (one, daemon) in trace.socket_links and (daemon, other) in trace.socket_links
        for one in asked
        for other in made - {one}
    )


def _list_ids(trace: Trace, process: TracedProcess) -> Iterator[str]:
    """Yield the ids on a process's command lines, as shims and runtimes have them.

    `shim … -id CONTAINER … start`; `runc … create … CONTAINER`; `runc … exec … --pid-file
    …/EXEC.pid CONTAINER`, where the container's id does not identify the session.
    """
    for number in process.segments:
        argv = trace.segments[number].argv
        shim = [*_list_option_values(argv, ("-id",))]
        yield from shim
        sessions = {PurePosixPath(path).stem for path in _list_option_values(argv, ("--pid-file",))}
        yield from sessions - {
            "init"
        }  # the pid file of a container's first process under containerd
        if not shim and _VERBS & set(argv):
            yield argv[-1]


def _list_option_values(argv: tuple[str, ...], options: Iterable[str]) -> Iterator[str]:
    for option, value in pairwise(argv):
        if option in options:
            yield value


class _SocketWrites:
    """What the command's processes wrote to Unix sockets."""

    def __init__(self, trace: Trace) -> None:
        texts: list[bytes] = []
        for segment in trace.segments.values():
            if not is_under_daemon(trace, trace.processes[segment.process]):
                texts += segment.said
        self._all = b"\0".join(texts)
        self._answers: dict[str, bool] = dict.fromkeys(trace.named_containers, True)

    def has(self, identifier: str) -> bool:
        """Return whether the id was written as an element of a path or as a protobuf string."""
        if identifier not in self._answers:
            self._answers[identifier] = self._look(identifier.encode())
        return self._answers[identifier]

    def _look(self, word: bytes) -> bool:
        if not 0 < len(word) <= _MAX_ID:
            return False
        paths = [b"/" + word + after for after in _PATH_ENDS]
        return any(text in self._all for text in [*paths, bytes([len(word)]) + word])


def is_under_daemon(trace: Trace, process: TracedProcess) -> bool:
    """Return whether a process is an engine that was found running, or descends from one."""
    at: TracedProcess | None = process
    while at is not None:
        if at.found_running:
            return True
        at = None if at.parent is None else trace.processes.get(at.parent)
    return False
