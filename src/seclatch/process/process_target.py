"""Find the process that a process id or a container's name stands for."""

from __future__ import annotations

from collections.abc import Sequence

from seclatch.errors import SeclatchError
from seclatch.model.pod import parse_pod
from seclatch.model.process import LiveProcess, LiveThread
from seclatch.model.stage import Stage
from seclatch.process.process_selection import (
    describe_kernel_thread,
    is_in_container,
    is_in_pod,
    is_kernel_thread,
)
from seclatch.system.procfs import read_start

_PARENT_STAGES = (Stage.SHIM, Stage.ENGINE, Stage.RUNTIME)
_ENDED = "ZX"
_REMEDY = "`seclatch ps` lists processes and containers"


def find_target(text: str, processes: Sequence[LiveProcess]) -> LiveProcess:
    """Return the process with that id, or the first process of the container of that name or id.

    NAMESPACE/POD/CONTAINER is a container of a pod, NAMESPACE/POD the only one that a pod has.
    Raises SeclatchError if there is none, if several containers match, or for a kernel thread.
    """
    if text.isdigit():
        for process in processes:
            if process.pid == int(text):
                return _require_alive(process)
        if is_kernel_thread(int(text)):
            raise SeclatchError(describe_kernel_thread(int(text)), status=1)
    inside = [process for process in processes if _matches_container(process, text)]
    inside = inside or [process for process in processes if is_in_container(process, text)]
    inside = inside or _find_in_pod(text, processes)
    if not inside:
        what = (
            f"process {text}, nor a container of that name"
            if text.isdigit()
            else f"container {text}"
        )
        raise SeclatchError(
            f"there is no {what} that runs and is visible from here", remedy=_REMEDY, status=2
        )
    containers = {
        process.container.id: process.container for process in inside if process.container
    }
    if len(containers) > 1:
        pods = any(container.pod for container in containers.values())
        several = ", ".join(
            sorted(each.title if each.pod else each.id for each in containers.values())
        )
        raise SeclatchError(
            f"{text} may be any of these containers: {several}",
            remedy="give NAMESPACE/POD/CONTAINER, or its id" if pods else "give its id",
            status=2,
        )
    return _require_alive(_find_first(inside, processes))


def _matches_container(process: LiveProcess, text: str) -> bool:
    """Match by whole name or id: engines give that precedence over the beginning of another id."""
    container = process.container
    return container is not None and text in (container.id, container.name)


def _find_in_pod(text: str, processes: Sequence[LiveProcess]) -> list[LiveProcess]:
    """Return the processes of NAMESPACE/POD[/CONTAINER], those of the sandbox only if alone."""
    try:
        selector = parse_pod(text)
    except ValueError:
        return []
    found = [process for process in processes if is_in_pod(process, selector)]
    return [each for each in found if each.container and each.container.name] or found


def _find_first(inside: Sequence[LiveProcess], processes: Sequence[LiveProcess]) -> LiveProcess:
    """Return the process that started first.

    A child of the shim, monitor or runtime if there is one: another process may have made a control
    group of the same name.
    """
    stages = {process.pid: process.stage for process in processes}
    members = {process.pid for process in inside}
    roots = [process for process in inside if process.parent not in members] or inside
    managed = [process for process in roots if stages.get(process.parent) in _PARENT_STAGES]
    return min(managed or roots, key=lambda process: read_start(process.pid))


def find_thread(process: LiveProcess, tid: int | None) -> LiveThread:
    """Return the first thread, or the one with that id. Raises SeclatchError."""
    ended = process.state in _ENDED and process.threads  # the first one, and others go on
    for thread in process.threads if ended else (process.main, *process.threads):
        if tid is None or thread.tid == tid:
            return thread
    raise SeclatchError(f"process {process.pid} has no thread {tid}", remedy=_REMEDY, status=2)


def _require_alive(process: LiveProcess) -> LiveProcess:
    if process.state in _ENDED and not process.threads:
        raise SeclatchError(
            f"process {process.pid} ({process.main.comm}) has ended and only waits for "
            "its parent: it has no filters any more",
            status=2,
        )
    return process
