"""Read from /proc the calls that the threads of recorded processes are in."""

from __future__ import annotations

from collections.abc import Iterator

from seclatch.recording.trace.ready_mark import CallInFlight
from seclatch.recording.trace.trace import CallKey, Trace
from seclatch.system.procfs import list_threads, read_file

_MAX_THREADS = 4096


def read_calls_in_flight(trace: Trace) -> Iterator[CallInFlight]:
    """Yield the call of each thread, with the segment that has counted it.

    The process ids of the trace must be those of this process's namespace. A thread that runs
    (`running` in /proc/PID/syscall) is in no call that lasts.
    """
    for process in trace.living:
        pid = trace.processes[process].pid
        for tid in list_threads(pid)[:_MAX_THREADS]:
            word = read_file(f"/proc/{pid}/task/{tid}/syscall", 256).partition(b" ")[0]
            if word.isdigit():
                yield _find_counted(trace, process, int(word))


def _find_counted(trace: Trace, process: int, number: int) -> CallInFlight:
    """Return the last segment that has counted the call; /proc does not say by which ABI.

    It is the last one of the process if none has: the process was in it when it was found.
    """
    calls: tuple[CallKey, CallKey] = ((False, number), (True, number))
    for segment in reversed(trace.processes[process].segments):
        for call in calls:
            if trace.segments[segment].calls.get(call):
                return segment, call
    return trace.processes[process].segments[-1], (False, number)
