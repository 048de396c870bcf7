"""Select processes by pid, container, name or filter."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from dataclasses import dataclass

from seclatch.model.pod import PodSelector
from seclatch.model.process import LiveProcess
from seclatch.system.procfs import read_status

_MIN_ID_LENGTH = 3
_MOST_NAMED = 8


@dataclass(frozen=True, slots=True)
class ProcessSelection:
    """A process must match each criterion that is given, by one of its values.

    `containers`: name, id or the beginning of one (3 characters at least). `pods`: with their
    sandboxes. `names`: of the program or of the process, with `*` and `?`. `filtered`: under
    seccomp only.
    """

    pids: tuple[int, ...] = ()
    containers: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    filtered: bool = False
    pods: tuple[PodSelector, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.pids or self.containers or self.names or self.filtered or self.pods)

    def matches(self, process: LiveProcess) -> bool:
        """Return whether the process is selected."""
        return (
            (not self.pids or process.pid in self.pids)
            and (
                not self.containers
                or any(is_in_container(process, container) for container in self.containers)
            )
            and (not self.pods or any(is_in_pod(process, pod) for pod in self.pods))
            and (not self.names or any(_matches_name(process, name) for name in self.names))
            and (not self.filtered or process.filtered)
        )


def is_in_container(process: LiveProcess, wanted: str) -> bool:
    """Return whether the process is in the container of that name or id."""
    container = process.container
    if container is None:
        return False
    if wanted in (container.id, container.name):
        return True
    return len(wanted) >= _MIN_ID_LENGTH and container.id.startswith(wanted)


def is_in_pod(process: LiveProcess, wanted: PodSelector) -> bool:
    """Return whether the process is in the pod, or in that container of it."""
    one = process.container
    return one is not None and wanted.matches(one.namespace, one.pod, one.name)


def _matches_name(process: LiveProcess, pattern: str) -> bool:
    program = process.argv[0].rpartition("/")[2] if process.argv else ""
    return any(fnmatch.fnmatchcase(name, pattern) for name in (process.main.comm, program))


def select_processes(
    processes: Iterable[LiveProcess], selection: ProcessSelection
) -> list[LiveProcess]:
    """Return the selected processes, by process id."""
    return sorted(filter(selection.matches, processes), key=lambda process: process.pid)


def describe_absence(processes: Iterable[LiveProcess], selection: ProcessSelection) -> list[str]:
    """Say what was asked for and not found, and which containers there are."""
    kernel = [pid for pid in selection.pids if is_kernel_thread(pid)]
    asked = [
        *(f"with pid {pid}" for pid in selection.pids if pid not in kernel),
        *(f"in a container {name}" for name in selection.containers),
        *(f"in the pod {pod}" for pod in selection.pods),
        *(f"named {name}" for name in selection.names),
        *(["under seccomp"] if selection.filtered else []),
    ]
    found = [describe_kernel_thread(pid) for pid in kernel]
    if not asked:
        return found or ["no process was found"]
    found.append(f"no process was found {' or '.join(asked)}")
    if selection.containers or selection.pods:
        containers = {each.container for each in processes if each.container}
        names = sorted({each.title or each.id[:12] for each in containers})
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        here = ", ".join(names[:_MOST_NAMED]) + more
        found.append(f"containers here: {here}" if names else "no container runs here")
    return found


def is_kernel_thread(pid: int) -> bool:
    """Return whether there is a thread of the kernel's with this id: it has no memory (proc(5))."""
    status = read_status(pid)
    return status is not None and not status.has_memory


def describe_kernel_thread(pid: int) -> str:
    """Say why a thread of the kernel's has no filters."""
    status = read_status(pid)
    name = f" ({status.comm})" if status else ""
    return f"process {pid}{name} is a kernel thread: it makes no system calls, no filter binds it"
