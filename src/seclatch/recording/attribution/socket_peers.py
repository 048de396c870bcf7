"""Who talks with whom: the command's processes and the engines that run, over Unix sockets.

An engine's daemon that made nothing itself is part of a start if the command is connected to it,
and one between that and what was made too. Asked of the kernel while they are connected: a client
waits for its container's start.
"""

from __future__ import annotations

import contextlib
import os
import time

from seclatch.recording.attribution.attribution import is_under_daemon
from seclatch.recording.trace.trace import Trace
from seclatch.system.socket_diag import read_peers, read_sockets

_SHARE = 10
"""A look takes some milliseconds: no more than one part in so many of the time."""


class SocketPeers:
    """Fills a trace's `links` while it grows."""

    def __init__(self) -> None:
        self._seen = 0, 0
        self._next = 0.0
        self._looked = 0
        self._speakers: set[int] = set()

    def update(self, trace: Trace) -> None:
        """Look again if the command has spoken to a socket, or something is being started."""
        for number in trace.socket_writers[self._looked :]:
            process = trace.processes[trace.segments[number].process]
            if not is_under_daemon(trace, process):
                self._speakers.add(process.id)
        self._looked = len(trace.socket_writers)
        seen = len(self._speakers), len(trace.starts)
        began = time.monotonic()
        living = self._speakers & trace.living
        if not living or seen == self._seen or began < self._next:
            return
        self._seen = seen
        trace.socket_links |= _find_links(trace, living)
        ended = time.monotonic()
        self._next = ended + _SHARE * (ended - began)


def _find_links(trace: Trace, speakers: set[int]) -> set[tuple[int, int]]:
    """Among the command's processes that have spoken, and the engines."""
    found = {process for process in trace.living if trace.processes[process].found_running}
    owners: dict[int, int] = {}
    for process in speakers | found:
        owners |= dict.fromkeys(read_sockets(trace.processes[process].pid), process)
    peers = _read_peers({trace.processes[process].pid for process in {*owners.values()}})
    ends = {(owners[socket], owners.get(peers.get(socket, 0), owners[socket])) for socket in owners}
    pairs = {(one, other) for one, other in ends if one != other}
    return pairs | {(other, one) for one, other in pairs}


def _read_peers(pids: set[int]) -> dict[int, int]:
    """Of all network namespaces in which these processes are."""
    networks: dict[int, int] = {}
    for pid in pids:
        with contextlib.suppress(OSError):  # ended, or not to be looked at
            networks[os.stat(f"/proc/{pid}/ns/net").st_ino] = pid  # noqa: PTH116 (a magic link)
    peers: dict[int, int] = {}
    for pid in networks.values():
        peers |= read_peers(pid)
    return peers
