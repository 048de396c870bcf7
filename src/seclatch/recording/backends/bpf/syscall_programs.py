"""The kernel programs on system calls: counted at sys_enter, refusals seen at sys_exit.

The kernel asks seccomp before it tells the sys_enter tracepoint (syscall_trace_enter in
kernel/entry/common.c), so a refused call never shows there; sys_exit it passes all the same.
An exit without an entry is a call that seccomp answered.
"""

from __future__ import annotations

from seclatch.recording.backends.bpf.abi import (
    NUMBERS,
    SECCOMP_MODE_FILTER,
    Control,
    Event,
    Mode,
    Slot,
    State,
    Task,
)
from seclatch.recording.backends.bpf.argument_programs import keep_arguments, watch_writes
from seclatch.recording.backends.bpf.assembler import R0, R1, R2, R3, R6, R7, R8, R9, R10, Helper
from seclatch.recording.backends.bpf.builder_parts import Stack
from seclatch.recording.backends.bpf.program_builder import Program
from seclatch.recording.trace.event_kinds import EventKind

_TS_COMPAT = 2  # thread_info.status on x86: in a 32-bit call (int 0x80 or sysenter)
_TIF_32BIT = 22  # thread_info.flags on arm64: the whole task is 32-bit
_MAX_ERRNO = 4095
_SIGKILL = 1 << 9 - 1  # in a sigset_t

NUMBER = {"x86_64": "pt_regs.orig_ax", "aarch64": "pt_regs.syscallno"}
COUNTER = {"x86_64": "pt_regs.ip", "aarch64": "pt_regs.pc"}
"""The program counter."""
_ENTER_LENGTH = {"x86_64": 2, "aarch64": 4}  # of `syscall` and `int 0x80`; of `svc`

_SEGMENT, _CALL, _MODE, _ERRNO = (Stack.KEY + 4 * n for n in range(4))


def write_enter(p: Program) -> None:
    """sys_enter(regs, number)."""
    p.move(R6, R1)
    p.find_current("out")
    p.store_value(4, R7, Task.STATE, State.ENTERED)
    p.notice_changes()
    p.load(8, R9, R6, 8)
    p.store(4, R7, Task.NUMBER, R9)
    p.copy_word(_SEGMENT, R7, Task.SEGMENT)
    _find_injected(p, "injected")
    load_compat(p)
    p.jump_if("jne", R8, 0, "rare")
    p.jump_if("jge", R9, NUMBERS, "rare")
    p.copy_word(Stack.SLOT, R7, Task.SLOT)
    p.look_up(p.maps.slots, Stack.SLOT, "out")
    p.move(R7, R0)
    p.move(R1, R9)
    p.compute("lsh", R1, 3)
    p.compute("add", R0, R1)
    p.move(R1, 1)
    p.add_atomic(8, R0, Slot.COUNTS, R1)
    p.load_map_value(R1, p.maps.specs.fd)
    p.compute("add", R1, R9)
    p.load(1, R8, R1, 0)
    p.jump_if("jne", R8, 0, "arguments")
    p.label("out")
    p.exit()
    p.label("rare")
    if p.machine == "aarch64":
        _leave_killed_out(p, "out")
    _count_rare(p)
    p.exit()
    p.label("arguments")
    keep_arguments(p)
    watch_writes(p)
    p.exit()
    p.label("injected")
    load_compat(p)
    p.compute("or", R8, Mode.INJECTED)
    _count_rare(p)
    p.exit()


def _find_injected(p: Program, injected: str) -> None:
    """Go to `injected` if a tracer makes this call in the place of a program that has not begun.

    The latch (native/inject.c) writes the instruction that enters the kernel over the program's
    first one. A program makes its own calls from further on: a number has to be loaded before; or
    it comes back to there, and is traced no more. r8 = its task.
    """
    begun, own = p.unique("begun"), p.unique("own")
    p.load(4, R1, R7, Task.FIRST)
    p.jump_if("jeq", R1, 0, begun)
    p.load(4, R1, R8, p.offsets["task_struct.ptrace"])
    p.jump_if("jeq", R1, 0, own)
    p.load(8, R3, R6, 0)
    p.compute("add", R3, p.offsets[COUNTER[p.machine]])
    p.point(R1, R10, Stack.POINTER)
    p.move(R2, 8)
    p.call(Helper.PROBE_READ_KERNEL)
    p.load(4, R1, R10, Stack.POINTER)
    p.compute("sub", R1, _ENTER_LENGTH[p.machine])
    p.load(4, R2, R7, Task.FIRST)
    p.jump_if("jeq", R1, R2, injected, bits=32)
    p.label(own)
    p.store_value(4, R7, Task.FIRST, 0)
    p.label(begun)


def write_exit(p: Program) -> None:
    """sys_exit(regs, result): nothing to do for tasks without a filter, so nothing is done."""
    p.move(R6, R1)
    p.call(Helper.CURRENT_TASK_BTF)
    p.move(R8, R0)
    p.load(4, R1, R8, p.offsets["task_struct.seccomp.mode"])
    p.jump_if("jlt", R1, SECCOMP_MODE_FILTER, "out")
    p.find_entry("out")
    p.load(4, R1, R8, p.offsets["task_struct.seccomp.filter_count"])
    p.load(4, R2, R7, Task.FILTERS)
    p.compute("sub", R1, R2)
    p.store(4, R10, Stack.NEWS, R1)
    p.notice_changes()
    p.load(4, R9, R7, Task.STATE)
    p.store_value(4, R7, Task.STATE, State.OUTSIDE)
    p.jump_if("jeq", R9, State.FOUND, "doubtful")
    p.jump_if("jne", R9, State.ENTERED, "refused")
    p.load(4, R1, R10, Stack.NEWS)
    p.jump_if("jeq", R1, 0, "out")
    p.label("doubtful")
    _doubt(p, "out")
    p.label("refused")
    p.store_value(4, R7, Task.STATE, State.REFUSED)
    leave_tracers_out(p, "out")
    p.load(8, R9, R6, 8)
    p.load(8, R6, R6, 0)
    write_refusal(p)
    p.label("out")
    p.exit()


def _doubt(p: Program, otherwise: str) -> None:
    """Go to `otherwise` if this is the call that was entered last.

    Exits are not looked at before a task has a filter. When another thread's TSYNC brings the
    first one, this may be the end of a call from before, or a refusal already: then it has another
    number. The same holds for a thread that was found running. (A refusal of the very call made
    last is taken for its end: one at most a thread.)
    """
    p.load(8, R3, R6, 0)
    p.compute("add", R3, p.offsets[NUMBER[p.machine]])
    p.point(R1, R10, Stack.POINTER)
    p.move(R2, 8)
    p.call(Helper.PROBE_READ_KERNEL)
    p.load(4, R1, R10, Stack.POINTER)
    p.load(4, R2, R7, Task.NUMBER)
    p.jump_if("jeq", R1, R2, otherwise)


def leave_tracers_out(p: Program, otherwise: str) -> None:
    """Go to `otherwise` where it was a tracer, not seccomp, that kept the kernel from the call.

    ptrace comes first of all (syscall_trace_enter), and a tracee that is killed in its stop there
    leaves without an entry too.
    """
    seccomp = p.unique("seccomp")
    p.load(4, R1, R8, p.offsets["task_struct.ptrace"])
    p.jump_if("jeq", R1, 0, seccomp)
    p.load(8, R1, R8, p.offsets["task_struct.pending.signal"])
    p.jump_if("jset", R1, _SIGKILL, otherwise)
    p.label(seccomp)


def write_refusal(p: Program) -> None:
    """Count a refused call: r6 = its registers, r9 = its result (0: no errno is known)."""
    known = p.unique("errno")
    p.compute("neg", R9, 0)
    p.jump_if("jsgt", R9, _MAX_ERRNO, p_none := p.unique("none"))
    p.jump_if("jsgt", R9, 0, known)
    p.label(p_none)
    p.move(R9, 0)  # trapped, killed, or answered by a supervisor
    p.label(known)
    p.store(4, R10, _ERRNO, R9)
    p.copy_word(_SEGMENT, R7, Task.SEGMENT)
    p.read_kernel(8, R6, p.offsets[NUMBER[p.machine]], Stack.POINTER)
    p.copy_word(_CALL, R10, Stack.POINTER)
    load_compat(p)
    p.compute("or", R8, Mode.DENIED)
    p.store(4, R10, _MODE, R8)
    _tell_first(p)
    p.count_key(p.maps.rare, Control.LOST_RARE)


def _tell_first(p: Program) -> None:
    """Send an event for the first refusal of a kind in a segment: there may be millions."""
    first, told = p.unique("first"), p.unique("told")
    p.look_up(p.maps.rare, Stack.KEY, first)
    p.jump(told)
    p.label(first)
    for source, targets in (
        (Task.SEGMENT, (Stack.SEGMENT, Stack.NEW_SEGMENT)),
        (Task.SLOT, (Stack.SLOT, Stack.NEW_SLOT)),
    ):
        for target in targets:
            p.copy_word(target, R7, source)
    p.send(EventKind.DENIAL, Event.DENIAL_SIZE, lambda: _write_denial(p))
    p.label(told)


def _write_denial(p: Program) -> None:
    for source, target in ((_CALL, Event.NUMBER), (_MODE, Event.MODE), (_ERRNO, Event.ERRNO)):
        p.load(4, R1, R10, source)
        p.store(4, R9, target, R1)


def load_compat(p: Program) -> None:
    """r8 = Mode.COMPAT in a 32-bit call, else 0."""
    if p.machine == "x86_64":
        p.load(4, R8, R8, p.offsets["task_struct.thread_info.status"])
        p.compute("and", R8, _TS_COMPAT)
        p.compute("rsh", R8, 1)
    else:
        p.load(8, R8, R8, p.offsets["task_struct.thread_info.flags"])
        p.compute("rsh", R8, _TIF_32BIT)
        p.compute("and", R8, 1)


def _leave_killed_out(p: Program, otherwise: str) -> None:
    """Go to `otherwise` where a tracee that was killed in its stop makes no call at all.

    On x86 it leaves without an entry; on arm64 (report_syscall, arch/arm64/kernel/ptrace.c) it
    passes sys_enter all the same, with -1. A program's own call of number -1 is counted.
    """
    own = p.unique("own")
    p.jump_if("jne", R9, -1, own)
    p.move(R6, R8)
    p.call(Helper.CURRENT_TASK_BTF)
    p.move(R8, R0)
    leave_tracers_out(p, otherwise)
    p.move(R8, R6)
    p.label(own)


def _count_rare(p: Program) -> None:
    p.store(4, R10, _CALL, R9)
    p.store(4, R10, _MODE, R8)
    p.store_value(4, R10, _ERRNO, 0)
    p.count_key(p.maps.rare, Control.LOST_RARE)
