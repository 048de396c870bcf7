"""Processes that run already: found by the kernel itself, followed from then on.

/proc would do for one process. But a container forks while it is being read, its threads come and
go, and a pid of /proc is not the kernel's own number when this recorder runs in a container. So an
iterator of the kernel (`bpf_iter_task`, Linux 5.8) looks at every task that the recorder may see
and enters those that are asked for. What they fork from then on the other programs enter.
"""

from __future__ import annotations

import os

from seclatch.recording.backends.bpf.abi import WORD, Event, Slot, State, Task, Watch
from seclatch.recording.backends.bpf.assembler import R0, R1, R2, R6, R7, R8, R9, R10, Helper
from seclatch.recording.backends.bpf.builder_parts import Maps, Stack
from seclatch.recording.backends.bpf.container_scope import (
    leave_unwatched,
    notice_strangers,
    state,
    watch,
)
from seclatch.recording.backends.bpf.program_builder import Program
from seclatch.recording.backends.bpf.syscall_programs import NUMBER
from seclatch.recording.backends.bpf.task_offsets import find_offsets
from seclatch.recording.trace.event_kinds import EventKind
from seclatch.system import bpf

_EXITING = 4  # PF_EXITING: past or just before sched_process_exit, which would end its entry
_SIZEOF_UPID = 16
_FUNCTION = "bpf_iter_task"
# Each pass but the last enters a task that the one before could not: a thread before its leader,
# a child before its parent. Nothing that is not being made on purpose is this deep.
_MAX_PASSES = 32


def adopt(  # noqa: PLR0913 (as watch)
    maps: Maps,
    *,
    mounts: int = 0,
    pids: int = 0,
    process: int = 0,
    reapers: bool = False,
    word: str = "",
) -> int:
    """Follow all tasks of a container (inode numbers of its namespaces, see Watch) or of one
    process, and what they have forked; answer how many. Raises OSError, bpf.VerifierError.

    The container is watched from then on: who comes into it later is followed too.
    """
    watch(maps, mounts=mounts, pids=pids, process=process, reapers=reapers, word=word)
    offsets = find_offsets()
    program = Program(maps, offsets)
    write_adoption(program)
    body = bpf.load_program(program.code(), _FUNCTION, offsets[f"{_FUNCTION}()"])
    added = before = 0
    try:
        for _ in range(_MAX_PASSES):
            _run(body)
            before, added = added, WORD.unpack_from(state(maps), Watch.ADDED)[0]
            if added == before:
                break
    finally:
        os.close(body)
    notice_strangers(maps)
    return added


def _run(body: int) -> None:
    with os.fdopen(bpf.open_iterator(body), "rb", buffering=0) as file:
        while file.read(4096):  # nothing is written: the first reading is the end
            pass


def write_adoption(p: Program) -> None:
    """bpf_iter__task {meta, task}; the task is null at the end. r7 = whether asked for by pid."""
    p.load(8, R8, R1, 8)
    p.jump_if("jeq", R8, 0, "out")
    p.load(4, R1, R8, p.offsets["task_struct.flags"])
    p.jump_if("jset", R1, _EXITING, "out")
    p.find_entry("new")
    p.jump("out")
    p.label("new")
    _read_seen_pid(p)
    p.load(4, R1, R10, Stack.TID)
    p.load(4, R2, R10, Stack.TGID)
    p.jump_if("jne", R1, R2, "thread")
    _leave_unasked(p, "out")
    p.begin_segment(EventKind.MEMBER)
    p.send(EventKind.MEMBER, Event.FOUND_SIZE, lambda: _write_found(p))
    p.jump("enter")
    p.label("thread")  # with its leader, once that is entered
    p.look_up(p.maps.tasks, Stack.TGID, "out")
    p.copy_word(Stack.NEW_SEGMENT, R0, Task.SEGMENT)
    p.copy_word(Stack.NEW_SLOT, R0, Task.SLOT)
    p.look_up(p.maps.slots, Stack.NEW_SLOT, "out")
    p.move(R1, 1)
    p.add_atomic(4, R0, Slot.TASKS, R1)
    p.label("enter")
    p.write_entry(State.FOUND)
    _note_last_call(p)
    p.put_entry()
    p.load_map_value(R1, p.maps.watch.fd)
    p.move(R2, 1)
    p.add_atomic(4, R1, Watch.ADDED, R2)
    p.label("out")
    p.exit()


def _note_last_call(p: Program) -> None:
    """What is at the top of its stack: the call that it is in, or else some call of before."""
    p.move(R1, R8)
    p.call(Helper.TASK_PT_REGS)
    p.read_kernel(8, R0, p.offsets[NUMBER[p.machine]], Stack.POINTER)
    p.copy_word(Stack.TASK + Task.NUMBER, R10, Stack.POINTER)


def _leave_unasked(p: Program, otherwise: str) -> None:
    """Go to `otherwise` unless the task belongs to what is watched, or its parent does.

    Stack.SEGMENT is its parent's then, or 0.
    """
    p.move(R7, 1)
    p.store_value(4, R10, Stack.SEGMENT, 0)
    p.load_map_value(R1, p.maps.watch.fd)
    p.load(4, R1, R1, Watch.PROCESS)
    p.jump_if("jeq", R1, 0, "container")
    p.load(4, R2, R10, Stack.NEWS)
    p.jump_if("jeq", R1, R2, "asked")
    p.label("container")
    p.move(R7, 0)
    p.read_kernel(8, R8, p.offsets["task_struct.real_parent"], Stack.POINTER)
    p.read_behind(4, p.offsets["task_struct.tgid"], Stack.OTHER, R10)
    p.look_up(p.maps.tasks, Stack.OTHER, "orphan")
    p.copy_word(Stack.SEGMENT, R0, Task.SEGMENT)
    p.jump("asked")
    p.label("orphan")
    leave_unwatched(p, R8, otherwise)
    p.label("asked")


def _read_seen_pid(p: Program) -> None:
    """Stack.NEWS = the task's pid in the recorder's own namespace, whose level is `current`'s."""
    p.call(Helper.CURRENT_TASK_BTF)
    p.read_kernel(8, R0, p.offsets["task_struct.thread_pid"], Stack.POINTER)
    p.read_behind(4, p.offsets["pid.level"], Stack.OTHER, R10)
    p.load(4, R6, R10, Stack.OTHER)
    p.compute("and", R6, 31)  # MAX_PID_NS_LEVEL is 32
    p.compute("lsh", R6, _SIZEOF_UPID.bit_length() - 1)
    p.compute("add", R6, p.offsets["pid.numbers"])
    p.read_kernel(8, R8, p.offsets["task_struct.thread_pid"], Stack.POINTER)
    p.load(8, R1, R10, Stack.POINTER)
    p.compute("add", R1, R6)
    p.store(8, R10, Stack.POINTER, R1)
    p.read_behind(4, p.offsets["upid.nr"], Stack.NEWS, R10)


def _write_found(p: Program) -> None:
    p.write_facts()
    p.load(4, R1, R10, Stack.NEWS)
    p.store(4, R9, Event.SEEN_PID, R1)
    p.store(4, R9, Event.ALONE, R7)
