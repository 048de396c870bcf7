"""Translate stops of tracees into the trace: calls, denials, processes, filters, programs."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections import Counter
from dataclasses import dataclass, replace

from seclatch.model.arch import Arch
from seclatch.model.seccomp_data import SeccompData
from seclatch.model.syscall import load_syscalls
from seclatch.recording.backends.bpf.abi import FIRST_OWN, KEPT_ARGUMENTS, NUMBERS, Spec
from seclatch.recording.backends.ptrace import seccomp_verdict, stopped_thread
from seclatch.recording.backends.ptrace.seccomp_verdict import TracedFilters
from seclatch.recording.trace.event_kinds import EventKind
from seclatch.recording.trace.trace import (
    CallKey,
    FirstDenial,
    Segment,
    TaskFacts,
    Trace,
    TraceLoss,
)
from seclatch.system import ptrace
from seclatch.system.ptrace import CallPosition, CallStop

_SET_SECCOMP, _MODE_FILTER = 22, 2  # prctl(2)
_OPERATION_FILTER, _FLAG_TSYNC = 1, 1  # seccomp(2)
_UNTRACED = 0x00800000  # CLONE_UNTRACED
_U32 = 0xFFFFFFFF
_KEPT = (Spec.ARG0, Spec.ARG1, Spec.ARG2, Spec.ARG3)


@dataclass(slots=True)
class FilterLoad:
    """A filter that is being loaded: its program as read from memory; `everywhere`: with TSYNC."""

    content: bytes
    everywhere: bool


@dataclass(slots=True)
class TracedThread:
    """One tracee.

    `file`: the path that it is about to exec. Set between the entry and the exit of a call:
    `entered`, the call, unless denied; `loading`, the filter; `slips`: it clones with
    CLONE_UNTRACED, which is not reported to a tracer.
    """

    tid: int
    process: int
    segment: Segment
    filters: TracedFilters
    file: str = ""
    entered: CallKey | None = None
    loading: FilterLoad | None = None
    slips: bool = False


class TracedThreads:
    """All tracees by thread id, and the trace that their stops make."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._numbers = itertools.count(FIRST_OWN)
        self.known: dict[int, TracedThread] = {}
        self._native = Arch.native()
        names = load_syscalls(self._native).numbers
        self._specs = {names[name]: spec for name, spec in KEPT_ARGUMENTS.items() if name in names}
        self._host_filters = stopped_thread.count_filters()

    def add_root(self, tid: int, program: str) -> None:
        """Add the recorder's child, before its exec of `program`."""
        facts = stopped_thread.read_facts(tid, TaskFacts())
        segment = self._begin_segment(
            EventKind.ROOT, 0, tid, replace(facts, filters=self._host_filters), tid
        )
        self.known[tid] = TracedThread(tid, tid, segment, TracedFilters(), file=program)

    def _begin_segment(
        self, kind: EventKind, parent: int, tid: int, facts: TaskFacts, pid: int
    ) -> Segment:
        now = time.monotonic_ns()
        segment = Segment(next(self._numbers), kind, parent, 0, now, tid, facts)
        if kind == EventKind.EXEC:
            segment.argv, segment.argv_cut = stopped_thread.read_recorded_argv(tid)
            segment.file = self.known[tid].file
        self._trace.begin(segment, pid)
        return segment

    def handle_call_stop(self, tid: int, info: CallStop) -> None:
        """Handle a stop at the entry or the exit of a call."""
        thread = self.known[tid]
        if info.position is CallPosition.ENTRY:
            self._handle_entry(thread, info)
        elif info.position is CallPosition.EXIT:
            self._handle_exit(thread, info)

    def _handle_entry(self, thread: TracedThread, info: CallStop) -> None:
        number, compat = info.number & _U32, info.arch != self._native.audit
        refused = thread.filters.find_refusal(
            SeccompData(info.arch, number, info.args, info.pointer)
        )
        thread.entered = None
        if refused is not None:
            self._record_denial(thread, (compat, number), refused)
            if not compat and number < NUMBERS and number in self._specs:
                self._keep_denied_arguments(thread, number, info.args)
            return
        thread.segment.calls[compat, number] += 1
        thread.entered = (compat, number)
        if not compat and number < NUMBERS and number in self._specs:
            self._keep_arguments(thread, number, info.args)
        arch = Arch.from_audit(info.arch, number)
        self._read_ahead(thread, load_syscalls(arch).at(number).name, info, wide=arch.bits == 64)

    def _record_denial(self, thread: TracedThread, call: CallKey, errno: int) -> None:
        segment = thread.segment
        if not segment.denied[(*call, errno)]:
            denial = FirstDenial(time.monotonic_ns(), segment.id, thread.tid, call, errno)
            self._trace.denials.append(denial)
        segment.denied[(*call, errno)] += 1

    def undo_entry(self, tid: int) -> None:
        """Take back a call that was not made: its thread was killed in the stop at its entry.

        See ptrace_report_syscall() in <linux/ptrace.h>.
        """
        thread = self.known.get(tid)
        if thread and thread.entered is not None:
            thread.segment.calls -= Counter([thread.entered])
            thread.entered = None

    def _keep_arguments(self, thread: TracedThread, number: int, args: tuple[int, ...]) -> None:
        spec = self._specs[number]
        kept = thread.segment.arguments
        for index, asked in enumerate(_KEPT):
            if spec & asked:
                kept[number, index, args[index]] += 1
        if spec & Spec.FLAGS_BEHIND_ARG0:
            content = stopped_thread.read_memory(thread.tid, args[0], 8)
            if len(content) == 8:
                kept[number, 0, int.from_bytes(content, "little")] += 1
            else:
                self._count_lost(arguments=1)

    def _keep_denied_arguments(
        self, thread: TracedThread, number: int, args: tuple[int, ...]
    ) -> None:
        """Keep the registers; memory that an argument points to is not read."""
        for index, asked in enumerate(_KEPT):
            if self._specs[number] & asked:
                thread.segment.denied_arguments[number, index, args[index]] += 1

    def _read_ahead(self, thread: TracedThread, name: str, info: CallStop, *, wide: bool) -> None:
        """Read memory at the entry that may have changed or gone when the call has been made."""
        args = info.args
        if name == "execve":
            thread.file = stopped_thread.read_string(thread.tid, args[0])
        elif name == "execveat":
            path = stopped_thread.read_string(thread.tid, args[1])
            absolute = path.startswith("/") or args[0] & _U32 == 0xFFFFFF9C  # AT_FDCWD
            within = f"/dev/fd/{args[0] & _U32}" + (f"/{path}" if path else "")
            thread.file = path if absolute else within
        elif name == "prctl" and args[0] == _SET_SECCOMP and args[1] == _MODE_FILTER:
            thread.loading = FilterLoad(_read_filter(thread.tid, args[2], wide=wide), False)
        elif name == "seccomp" and args[0] == _OPERATION_FILTER:
            content = _read_filter(thread.tid, args[2], wide=wide)
            thread.loading = FilterLoad(content, bool(args[1] & _FLAG_TSYNC))
        elif name == "clone":
            thread.slips = bool(args[0] & _UNTRACED)

    def _handle_exit(self, thread: TracedThread, info: CallStop) -> None:
        thread.entered = None
        load, thread.loading = thread.loading, None
        slips, thread.slips = thread.slips, False
        if slips and info.result > 0:
            self._count_lost(processes=1)
        if load is None or info.result < 0:
            return
        # With TSYNC the result may be the id of a thread that could not be synchronized.
        if load.everywhere and info.result in self.known:
            return
        filters = self._push_filter(thread, load)
        mates = [mate for mate in self.known.values() if mate.process == thread.process]
        for mate in mates if load.everywhere else [thread]:
            mate.filters = filters
            facts = stopped_thread.read_facts(mate.tid, mate.segment.facts)
            facts = replace(facts, filters=self._host_filters + len(filters))
            mate.segment = self._begin_segment(
                EventKind.FILTER, mate.segment.id, mate.tid, facts, mate.process
            )

    def _push_filter(self, thread: TracedThread, load: FilterLoad) -> TracedFilters:
        """Return the stack with the new filter: the kernel's copy if readable, else that of memory.

        Memory may have been changed by another thread in the meantime.
        """
        content = load.content
        # PTRACE_SECCOMP_GET_FILTER: EACCES without CAP_SYS_ADMIN, EIO without CHECKPOINT_RESTORE
        with contextlib.suppress(OSError):
            content = ptrace.read_newest_filter(
                thread.tid, stopped_thread.count_filters(thread.tid)
            )
        program = seccomp_verdict.read_program(content)
        if program is None:
            self._count_lost(calls=1)
            return thread.filters
        return thread.filters.with_newest(program)

    def add_child(self, parent: int, tid: int) -> None:
        """Add a new thread or process; of one that is dead already only its calls are known."""
        maker = self.known[parent]
        try:
            process = stopped_thread.read_thread_group(tid)
        except (OSError, LookupError):
            process = tid
        if process == maker.process:
            segment = maker.segment
        else:
            facts = stopped_thread.read_facts(tid, maker.segment.facts)
            segment = self._begin_segment(EventKind.FORK, maker.segment.id, tid, facts, process)
        self.known[tid] = TracedThread(tid, process, segment, maker.filters)

    def handle_exec(self, tid: int, former: int) -> None:
        """Handle an exec: a non-leader takes over the leader's id, all other threads are gone."""
        thread = self.known.pop(former, None) or self.known[tid]
        for mate in [mate for mate in self.known.values() if mate.process == thread.process]:
            del self.known[mate.tid]
        thread.tid = tid
        self.known[tid] = thread
        facts = stopped_thread.read_facts(tid, thread.segment.facts)
        facts = replace(facts, filters=thread.segment.facts.filters)
        thread.segment = self._begin_segment(EventKind.EXEC, thread.segment.id, tid, facts, tid)
        thread.loading = None

    def handle_end(self, tid: int, status: int) -> None:
        """Handle the end of a thread; the leader's is reported last, and ends the process."""
        thread = self.known.pop(tid, None)
        if thread is not None and tid == thread.process:
            self._trace.end(thread.segment.id, time.monotonic_ns(), status)

    def _count_lost(self, *, processes: int = 0, calls: int = 0, arguments: int = 0) -> None:
        lost = self._trace.lost
        self._trace.lost = TraceLoss(
            lost.events,
            lost.processes + processes,
            lost.calls + calls,
            lost.arguments + arguments,
        )


def _read_filter(tid: int, address: int, *, wide: bool) -> bytes:
    header = stopped_thread.read_memory(tid, address, 16 if wide else 8)
    if len(header) != (16 if wide else 8):
        return b""
    size, at = seccomp_verdict.read_header(header, wide=wide)
    return stopped_thread.read_memory(tid, at, size)
