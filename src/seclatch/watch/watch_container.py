"""Watch one running container, until it ends, a signal, or for a while."""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from seclatch.errors import SeclatchError
from seclatch.process.process_snapshot import SnapshotRequest, take_snapshot
from seclatch.process.process_target import find_target
from seclatch.watch.denial_selection import DenialSelection
from seclatch.watch.describe_denial import DenialDescriber
from seclatch.watch.known_profiles import KnownProfiles
from seclatch.watch.open_sources import open_sources
from seclatch.watch.process_contexts import DeniedProcesses
from seclatch.watch.stop_signals import StopSignals
from seclatch.watch.targets.log_target import LogTarget
from seclatch.watch.watch_session import WatchSession


@dataclass(frozen=True, slots=True)
class WatchedContainer:
    """A running container: its id, and its first process with a descriptor of that (pidfd)."""

    identifier: str
    pid: int
    fd: int

    @classmethod
    def find(cls, word: str) -> WatchedContainer:
        """Find it by its name, id, or one of its processes. Raises SeclatchError."""
        found = find_target(word, take_snapshot(SnapshotRequest(filters=False)).processes)
        if found.container is None:
            raise SeclatchError(
                f"process {found.pid} is in no container",
                remedy="`seclatch ps` lists containers",
                status=2,
            )
        try:
            return cls(found.container.id, found.pid, os.pidfd_open(found.pid))
        except OSError as error:
            raise SeclatchError(
                f"watching {word}: process {found.pid}: {error.strerror}"
            ) from error

    def has_ended(self) -> bool:
        """Return whether its first process has."""
        return bool(select.select([self.fd], [], [], 0)[0])


def watch_container(
    word: str,
    seconds: float | None,
    profiles: Sequence[Path],
    targets: Sequence[LogTarget],
    report: Callable[[str], None],
) -> None:
    """Write the container's denials to the targets. Raises SeclatchError."""
    container = WatchedContainer.find(word)
    describer = DenialDescriber(DeniedProcesses(), KnownProfiles(profiles))
    sources = open_sources(None)
    stop = StopSignals(reopens=False)
    try:
        for text in sources.misses:
            report(text)
        selection = DenialSelection(containers=(container.identifier,))
        session = WatchSession(sources, describer, selection, targets, report)
        session.run(stop, seconds, container.has_ended)
        if container.has_ended():
            report(f"the container {word} has ended")
    finally:
        sources.close()
        stop.close()
        os.close(container.fd)
