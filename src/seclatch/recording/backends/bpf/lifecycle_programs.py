"""The kernel programs on processes: forked, exec'd, ended; and the one that registers the first."""

from __future__ import annotations

from seclatch.recording.backends.bpf.abi import SECCOMP_MODE_DEAD, Event, Slot, State, Task
from seclatch.recording.backends.bpf.assembler import R0, R1, R2, R3, R6, R7, R8, R9, R10, Helper
from seclatch.recording.backends.bpf.builder_parts import Stack
from seclatch.recording.backends.bpf.container_scope import (
    leave_closed,
    leave_uncalled,
    leave_unreaped,
    leave_unwatched,
)
from seclatch.recording.backends.bpf.program_builder import Program
from seclatch.recording.backends.bpf.syscall_programs import COUNTER, write_refusal
from seclatch.recording.trace.event_kinds import EventKind


def write_register(p: Program) -> None:
    """Run by a thread on itself: from here on it is followed. Returns its global thread id.

    That it does so itself makes the id right in any pid namespace.
    """
    p.call(Helper.CURRENT_PID_TGID)
    p.store(4, R10, Stack.TID, R0)
    p.compute("rsh", R0, 32)
    p.store(4, R10, Stack.TGID, R0)
    p.call(Helper.CURRENT_TASK_BTF)
    p.move(R8, R0)
    p.store_value(4, R10, Stack.SEGMENT, 0)
    p.begin_segment(EventKind.ROOT)
    p.send(EventKind.ROOT, Event.FACTS_END, p.write_facts)
    p.write_entry(State.ENTERED)
    p.put_entry()
    p.load(4, R0, R10, Stack.TID)
    p.exit_with_r0()


def write_fork(p: Program) -> None:
    """sched_process_fork(parent, child): before the child runs.

    The forking thread counts as parent, also with CLONE_PARENT, which changes who is told of the
    child's end and not who made it.
    """
    p.move(R6, R1)
    p.find_current("stranger")
    p.load(8, R8, R6, 8)
    for member, place in (("task_struct.pid", Stack.TID), ("task_struct.tgid", Stack.TGID)):
        p.read_kernel(4, R8, p.offsets[member], place)
    p.copy_word(Stack.SEGMENT, R7, Task.SEGMENT)
    p.load(4, R1, R10, Stack.TID)
    p.load(4, R2, R10, Stack.TGID)
    p.jump_if("jne", R1, R2, "thread")
    p.begin_segment(EventKind.FORK)
    p.send(EventKind.FORK, Event.FACTS_END, p.write_facts)
    p.jump("enter")
    p.label("thread")
    p.copy_word(Stack.NEW_SEGMENT, R7, Task.SEGMENT)
    p.copy_word(Stack.NEW_SLOT, R7, Task.SLOT)
    p.look_up(p.maps.slots, Stack.NEW_SLOT, "out")
    p.move(R1, 1)
    p.add_atomic(4, R0, Slot.TASKS, R1)
    p.label("enter")
    p.write_entry(State.ENTERED)  # its first sys_exit is clone's, which has no entry of its own
    p.copy_word(Stack.TASK + Task.NUMBER, R7, Task.NUMBER)
    p.put_entry()
    p.label("out")
    p.exit()
    _watch_forks(p)


def _watch_forks(p: Program) -> None:
    """A stranger forks: a runtime that brings an exec session into the watched container?"""
    p.label("stranger")
    leave_closed(p, "out")
    p.load(8, R8, R6, 8)
    leave_unwatched(p, R8, "unwatched")
    p.jump("joined")
    p.label("unwatched")
    leave_unreaped(p, "out")
    p.label("joined")
    for member, place in (("task_struct.pid", Stack.TID), ("task_struct.tgid", Stack.TGID)):
        p.read_kernel(4, R8, p.offsets[member], place)
    p.load(4, R1, R10, Stack.TID)
    p.load(4, R2, R10, Stack.TGID)
    p.jump_if("jne", R1, R2, "out")
    p.store_value(4, R10, Stack.SEGMENT, 0)
    p.begin_segment(EventKind.JOINED)
    p.send(EventKind.JOINED, Event.FACTS_END, p.write_facts)
    p.write_entry(State.ENTERED)
    p.put_entry()
    p.exit()


def write_exec(p: Program) -> None:
    """sched_process_exec(task, old_pid, bprm): past the point of no return, before user space.

    When a thread other than the leader execs, it takes over the leader's id: `old_pid` is the one
    it had, and the leader has passed sched_process_exit by now (de_thread waits for that).
    """
    p.move(R6, R1)
    p.load(8, R1, R6, 8)
    p.store(4, R10, Stack.OTHER, R1)
    p.look_up(p.maps.tasks, Stack.OTHER, "stranger")
    p.move(R7, R0)
    p.copy_word(Stack.SEGMENT, R7, Task.SEGMENT)
    p.copy_word(Stack.SLOT, R7, Task.SLOT)
    p.copy_word(Stack.NEWS, R7, Task.NUMBER)
    p.label("known")
    p.call(Helper.CURRENT_PID_TGID)
    p.store(4, R10, Stack.TID, R0)
    p.compute("rsh", R0, 32)
    p.store(4, R10, Stack.TGID, R0)
    p.load(4, R1, R10, Stack.OTHER)
    p.load(4, R2, R10, Stack.TID)
    p.jump_if("jeq", R1, R2, "leader")
    p.load_map(R1, p.maps.tasks.fd)
    p.point(R2, R10, Stack.OTHER)
    p.call(Helper.MAP_DELETE)
    p.label("leader")
    p.call(Helper.CURRENT_TASK_BTF)
    p.move(R8, R0)
    p.begin_segment(EventKind.EXEC)
    p.send(EventKind.EXEC, Event.EXEC_SIZE, lambda: _write_image(p))
    p.write_entry(State.ENTERED)
    p.copy_word(Stack.TASK + Task.NUMBER, R10, Stack.NEWS)
    _note_first_instruction(p)
    p.put_entry()
    p.leave_segment()
    p.label("out")
    p.exit()
    p.label("stranger")  # perhaps one that has entered the watched container without a fork
    leave_closed(p, "out")
    p.call(Helper.CURRENT_TASK_BTF)
    p.move(R8, R0)
    leave_unwatched(p, R8, "outside")
    p.jump("joined")
    p.label("outside")  # perhaps a runtime that is about to bring an exec session into it
    if p.notices_words:
        leave_uncalled(p, "out")
    else:
        p.jump("out")
    p.label("joined")
    for place in (Stack.SEGMENT, Stack.SLOT, Stack.NEWS):
        p.store_value(4, R10, place, 0)
    p.call(Helper.CURRENT_PID_TGID)
    p.store(4, R10, Stack.OTHER, R0)
    p.jump("known")


def _note_first_instruction(p: Program) -> None:
    """Where a tracee's new program begins: a call from there is its tracer's. The registers are
    those already with which it will return from exec (begin_new_exec, START_THREAD)."""
    untraced = p.unique("untraced")
    p.load(4, R1, R8, p.offsets["task_struct.ptrace"])
    p.jump_if("jeq", R1, 0, untraced)
    p.move(R1, R8)
    p.call(Helper.TASK_PT_REGS)
    p.read_kernel(8, R0, p.offsets[COUNTER[p.machine]], Stack.POINTER)
    p.copy_word(Stack.TASK + Task.FIRST, R10, Stack.POINTER)
    p.label(untraced)


def _write_image(p: Program) -> None:
    """Facts, the path as exec was given it, and argv as far as it fits."""
    p.write_facts()
    p.load(8, R3, R6, 16)
    p.compute("add", R3, p.offsets["linux_binprm.filename"])
    p.point(R1, R10, Stack.POINTER)
    p.move(R2, 8)
    p.call(Helper.PROBE_READ_KERNEL)
    p.load(8, R3, R10, Stack.POINTER)
    p.point(R1, R9, Event.FILE)
    p.move(R2, Event.FILE_SIZE)
    p.call(Helper.PROBE_READ_KERNEL_STRING)
    p.read_kernel(8, R8, p.offsets["task_struct.mm"], Stack.POINTER)
    p.read_behind(8, p.offsets["mm_struct.arg_end"], Stack.ONE, R10)
    p.read_behind(8, p.offsets["mm_struct.arg_start"], Stack.POINTER, R10)
    p.load(8, R2, R10, Stack.ONE)
    p.load(8, R3, R10, Stack.POINTER)
    p.compute("sub", R2, R3)
    p.store(4, R9, Event.ARGS_SIZE, R2)
    p.jump_if("jle", R2, Event.ARGS_MAX, "fits")
    p.move(R2, Event.ARGS_MAX)
    p.label("fits")
    p.store(4, R9, Event.ARGS_FIT, R2)
    p.point(R1, R9, Event.ARGS)
    p.call(Helper.PROBE_READ_USER)
    p.jump_if("jeq", R0, 0, "read")
    p.store_value(4, R9, Event.ARGS_FIT, 0)
    p.label("read")


def write_end(p: Program) -> None:
    """sched_process_exit(task): of each thread; the last one of a process sends the event."""
    p.find_current("out")
    p.copy_word(Stack.SEGMENT, R7, Task.SEGMENT)
    p.copy_word(Stack.NEW_SEGMENT, R7, Task.SEGMENT)
    p.copy_word(Stack.SLOT, R7, Task.SLOT)
    p.copy_word(Stack.NEW_SLOT, R7, Task.SLOT)
    _notice_killed_thread(p)
    p.call(Helper.CURRENT_TASK_BTF)
    p.move(R8, R0)
    p.read_kernel(8, R8, p.offsets["task_struct.signal"], Stack.POINTER)
    p.read_behind(4, p.offsets["signal_struct.live"], Stack.OTHER, R10)
    p.load(4, R1, R10, Stack.OTHER)
    p.jump_if("jne", R1, 0, "others")
    p.send(EventKind.EXIT, Event.EXIT_SIZE, lambda: _write_code(p))
    p.label("others")
    p.leave_segment()
    p.load_map(R1, p.maps.tasks.fd)
    p.point(R2, R10, Stack.TID)
    p.call(Helper.MAP_DELETE)
    p.label("out")
    p.exit()


def _notice_killed_thread(p: Program) -> None:
    """KILL_THREAD ends one of several threads within seccomp itself: there is no sys_exit.

    Every other way to kill passes sys_exit first, which has left State.REFUSED.
    """
    p.load(4, R1, R7, Task.STATE)
    p.jump_if("jeq", R1, State.REFUSED, "alive")
    p.load(4, R1, R8, p.offsets["task_struct.seccomp.mode"])
    p.jump_if("jne", R1, SECCOMP_MODE_DEAD, "alive")
    p.move(R1, R8)
    p.call(Helper.TASK_PT_REGS)
    p.move(R6, R0)
    p.move(R9, 0)
    write_refusal(p)
    p.label("alive")


def _write_code(p: Program) -> None:
    p.read_kernel(4, R8, p.offsets["task_struct.exit_code"], Event.CODE, R9)
