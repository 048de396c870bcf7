"""Find which processes of the command are connected to which engine daemons by Unix sockets.

A daemon that made no container itself took part in a start if the command is connected to it, and
so did one between it and the daemon that made the container. The kernel is asked (sock_diag(7))
while they are connected: a client waits for its container's start.
"""

from __future__ import annotations

import contextlib
import os
import time

from seclatch.recording.attribution.attribution import is_under_daemon
from seclatch.recording.trace.trace import Trace
from seclatch.system.socket_diag import read_peers, read_sockets

_MAX_SHARE = 10
"""A query takes some milliseconds: at most one part in this many of the time."""


class SocketPeers:
    """Fills `Trace.socket_links` while the trace grows."""

    def __init__(self) -> None:
        self._seen = 0, 0
        self._next = 0.0
        self._looked = 0
        self._writers: set[int] = set()

    def update(self, trace: Trace) -> None:
        """Query again if the command has written to a socket, or a container is being started."""
        for number in trace.socket_writers[self._looked :]:
            process = trace.processes[trace.segments[number].process]
            if not is_under_daemon(trace, process):
                self._writers.add(process.id)
        self._looked = len(trace.socket_writers)
        seen = len(self._writers), len(trace.starts)
        began = time.monotonic()
        living = self._writers & trace.living
        if not living or seen == self._seen or began < self._next:
            return
        self._seen = seen
        trace.socket_links |= _find_links(trace, living)
        ended = time.monotonic()
        self._next = ended + _MAX_SHARE * (ended - began)


def _find_links(trace: Trace, writers: set[int]) -> set[tuple[int, int]]:
    """Find connections among the command's socket writers and the engines."""
    found = {process for process in trace.living if trace.processes[process].found_running}
    owners: dict[int, int] = {}
    for process in writers | found:
        owners |= dict.fromkeys(read_sockets(trace.processes[process].pid), process)
    peers = _read_peers({trace.processes[process].pid for process in {*owners.values()}})
    ends = {(owners[socket], owners.get(peers.get(socket, 0), owners[socket])) for socket in owners}
    pairs = {(one, other) for one, other in ends if one != other}
    return pairs | {(other, one) for one, other in pairs}


def _read_peers(pids: set[int]) -> dict[int, int]:
    """Read socket peers in all network namespaces of these processes."""
    networks: dict[int, int] = {}
    for pid in pids:
        with contextlib.suppress(OSError):  # ended, or access denied
            networks[os.stat(f"/proc/{pid}/ns/net").st_ino] = pid  # noqa: PTH116 (a magic link)
    peers: dict[int, int] = {}
    for pid in networks.values():
        peers |= read_peers(pid)
    return peers
