"""Which process is meant by a process id or a container."""

from __future__ import annotations

from collections.abc import Sequence

from seclatch.errors import SeclatchError
from seclatch.model.process import LiveProcess, LiveThread
from seclatch.model.stage import Stage
from seclatch.process.process_selection import is_in_container
from seclatch.system.procfs import read_start

_KEEPERS = (Stage.SHIM, Stage.ENGINE, Stage.RUNTIME)
_ENDED = "ZX"
_ASK = "`seclatch ps` lists processes and containers"


def find_target(text: str, processes: Sequence[LiveProcess]) -> LiveProcess:
    """The process with that id, or the first process of the container of that name or id.

    Raises SeclatchError when there is none, or when several containers are meant.
    """
    if text.isdigit():
        for process in processes:
            if process.pid == int(text):
                return _alive(process)
    inside = [process for process in processes if _is_called(process, text)]
    inside = inside or [process for process in processes if is_in_container(process, text)]
    if not inside:
        what = (
            f"process {text}, nor a container so called" if text.isdigit() else f"container {text}"
        )
        raise SeclatchError(
            f"there is no {what}, running and to be seen from here", remedy=_ASK, status=2
        )
    containers = {process.container.id for process in inside if process.container}
    if len(containers) > 1:
        several = ", ".join(sorted(containers))
        raise SeclatchError(
            f"{text} may be any of these containers: {several}", remedy="give its id", status=2
        )
    return _alive(_first(inside, processes))


def _is_called(process: LiveProcess, text: str) -> bool:
    """By the whole name or id, which engines put before the beginning of another one's."""
    container = process.container
    return container is not None and text in (container.id, container.name)


def _first(inside: Sequence[LiveProcess], processes: Sequence[LiveProcess]) -> LiveProcess:
    """The one that was there first. A child of the shim, monitor or runtime if there is one: a
    control group of the same name may have been made by somebody else."""
    stages = {process.pid: process.stage for process in processes}
    members = {process.pid for process in inside}
    roots = [process for process in inside if process.parent not in members] or inside
    kept = [process for process in roots if stages.get(process.parent) in _KEEPERS]
    return min(kept or roots, key=lambda process: read_start(process.pid))


def find_thread(process: LiveProcess, tid: int | None) -> LiveThread:
    """The first thread, or the one with that id. Raises SeclatchError."""
    ended = process.state in _ENDED and process.threads  # the first one, and others go on
    for thread in process.threads if ended else (process.main, *process.threads):
        if tid is None or thread.tid == tid:
            return thread
    raise SeclatchError(f"process {process.pid} has no thread {tid}", remedy=_ASK, status=2)


def _alive(process: LiveProcess) -> LiveProcess:
    if process.state in _ENDED and not process.threads:
        raise SeclatchError(
            f"process {process.pid} ({process.main.comm}) has ended and only waits for "
            "its parent: it has no filters any more",
            status=2,
        )
    return process
