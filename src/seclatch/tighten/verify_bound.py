"""Read back from the kernel which threads are under a filter, without stopping them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from seclatch.errors import SeclatchError
from seclatch.process.kernel.kernel_filters import Held, read_kernel
from seclatch.system.procfs import list_threads, read_status


@dataclass(frozen=True, slots=True)
class BoundThreads:
    """The living threads of processes, by whether they hold the filter."""

    bound: tuple[int, ...]
    unbound: tuple[int, ...]


def find_bound_threads(pids: Iterable[int], code: bytes) -> BoundThreads | str:
    """Sort the threads of these processes; return a sentence where filters cannot be read."""
    wanted = set(pids)
    try:
        held = read_kernel()
    except SeclatchError as error:
        return str(error)
    bound, unbound = [], []
    for pid in sorted(wanted):
        for tid in list_threads(pid):
            if _holds(held.get(tid), code):
                bound.append(tid)
            elif _is_alive(pid, tid):
                unbound.append(tid)
    return BoundThreads(tuple(bound), tuple(unbound))


def _holds(held: Held | None, code: bytes) -> bool:
    return held is not None and any(layer.code == code for layer in held.layers)


def _is_alive(pid: int, tid: int) -> bool:
    """Return whether a thread may still issue calls: not ended, not a worker of the kernel's."""
    status = read_status(pid, tid)
    return status is not None and status.state not in "ZX" and not _is_worker(status.comm)


def _is_worker(comm: str) -> bool:
    return comm.startswith(("iou-wrk-", "iou-sqp-"))
