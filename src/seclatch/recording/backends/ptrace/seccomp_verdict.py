"""Decide whether seccomp denies a call, by running the filters that a thread has loaded.

A tracer sees a call before seccomp does (since Linux 4.8), and an errno at the exit may come from
seccomp or from the call. So the recorder keeps each filter as it is loaded, and evaluates it as the
kernel will (decision 0021).
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Sequence

from seclatch.filter.classic_bpf.opcode import ABS
from seclatch.filter.classic_bpf.simulate import UNASKED, BpfMachine
from seclatch.filter.classic_bpf.verify import find_refusal
from seclatch.model.action import ENOSYS, MAX_ERRNO, ActionKind
from seclatch.model.arch import Arch
from seclatch.model.filter import Filter
from seclatch.model.seccomp_data import ARCH, SeccompData
from seclatch.model.verdict import Verdict

_MAX_CACHED = 4096


class _ArgumentWatch(BpfMachine):
    """Notes whether a program reads more than the call's number and architecture."""

    __slots__ = ("curious",)

    def __init__(self, data: Sequence[int]) -> None:
        super().__init__(data)
        self.curious = False

    def load(self, code: int, k: int) -> int:
        """Load as the interpreter does."""
        if code & 0xE0 == ABS and k // 4 > ARCH:
            self.curious = True
        return super().load(code, k)


class TracedFilters:
    """The filters that bind a thread, newest first. Immutable: children share it."""

    def __init__(self, programs: tuple[Filter, ...] = ()) -> None:
        self.programs = programs
        self._cache: dict[tuple[int, int], int] = {}

    def __len__(self) -> int:
        return len(self.programs)

    def with_newest(self, program: Filter) -> TracedFilters:
        """Return the stack after one more filter has been loaded."""
        return TracedFilters((program, *self.programs))

    def find_refusal(self, call: SeccompData) -> int | None:
        """Return None if the call is made; else the errno that the caller gets, 0 if none.

        A call for a supervisor (SECCOMP_RET_USER_NOTIF) counts as made: the tracer cannot tell
        whether the supervisor answered in place of the kernel.
        """
        if not self.programs or (call.audit == Arch.X86_64.audit and call.number in UNASKED):
            return None
        key = (call.audit, call.number)
        value = self._cache.get(key)
        if value is None:
            value = self._evaluate(key, call)
        action = Verdict(value).action
        if action.kind.executes or action.kind is ActionKind.NOTIFY:
            return None
        if action.kind is ActionKind.ERRNO:
            return min(action.data, MAX_ERRNO)
        # Without PTRACE_O_TRACESECCOMP the kernel treats the thread as having no tracer.
        return ENOSYS if action.kind is ActionKind.TRACE else 0

    def _evaluate(self, key: tuple[int, int], call: SeccompData) -> int:
        """Evaluate as seccomp_run_filters(): all filters run, the most restrictive action wins."""
        words = call.words(sys.byteorder)
        worst = Verdict(ActionKind.ALLOW.value)
        reads_arguments = False
        for program in self.programs:
            machine = _ArgumentWatch(words)
            own = machine.run(program.instructions)
            reads_arguments |= machine.curious
            if own.precedence < worst.precedence:
                worst = own
        if not reads_arguments and len(self._cache) < _MAX_CACHED:
            self._cache[key] = worst.value
        return worst.value


def read_program(content: bytes) -> Filter | None:
    """Decode an array of struct sock_filter; None for a program that the kernel refuses."""
    try:
        program = Filter.from_bytes(content, sys.byteorder)
    except ValueError:
        return None
    return None if find_refusal(program) else program


def read_header(content: bytes, *, wide: bool) -> tuple[int, int]:
    """Decode a struct sock_fprog: the program's size in bytes, and its address."""
    length, address = struct.unpack("=H6xQ" if wide else "=H2xI", content)
    return length * 8, address
