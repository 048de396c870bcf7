"""Read back from the kernel which threads are under a filter, without stopping them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from seclatch.errors import SeclatchError
from seclatch.process.kernel.kernel_filters import Held, read_kernel
from seclatch.system.procfs import is_exiting, list_threads, read_status


@dataclass(frozen=True, slots=True)
class BoundThreads:
    """The living threads of processes, by whether they hold the filter."""

    bound: tuple[int, ...]
    unbound: tuple[int, ...]


def find_bound_threads(pids: Iterable[int], code: bytes) -> BoundThreads | str:
    """Sort the threads of these processes; return a sentence where filters cannot be read."""
    try:
        held = read_kernel()
        threads = {tid: pid for pid in set(pids) for tid in list_threads(pid)}
        bound, unbound = _sort(threads, held, code)
        if unbound:  # a thread that was created meanwhile has inherited its filters
            more, unbound = _sort({tid: threads[tid] for tid in unbound}, read_kernel(), code)
            bound += more
    except SeclatchError as error:
        return str(error)
    return BoundThreads(tuple(sorted(bound)), tuple(sorted(unbound)))


def _sort(
    threads: Mapping[int, int], held: Mapping[int, Held], code: bytes
) -> tuple[list[int], list[int]]:
    """Return which of these threads (each with its process) hold the filter, and which do not."""
    bound = [tid for tid in threads if _holds(held.get(tid), code)]
    others = threads.keys() - set(bound)
    return bound, [tid for tid in others if is_alive(threads[tid], tid)]


def _holds(held: Held | None, code: bytes) -> bool:
    return held is not None and any(layer.code == code for layer in held.layers)


def is_alive(pid: int, tid: int) -> bool:
    """Return whether a thread may still issue calls: not ended, not a worker of the kernel's."""
    status = read_status(pid, tid)
    return status is not None and not is_exiting(pid, tid) and not _is_worker(status.comm)


def _is_worker(comm: str) -> bool:
    return comm.startswith(("iou-wrk-", "iou-sqp-"))
