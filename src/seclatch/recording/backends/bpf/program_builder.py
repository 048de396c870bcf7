"""What all kernel programs of the recorder do: begin segments, leave them, send events."""

from __future__ import annotations

from collections.abc import Callable

from seclatch.recording.backends.bpf.abi import SLOTS, Control, Event, Slot, State, Task
from seclatch.recording.backends.bpf.assembler import R0, R1, R2, R3, R4, R7, R8, R9, R10, Helper
from seclatch.recording.backends.bpf.builder_parts import Primitives, Stack
from seclatch.recording.backends.bpf.task_facts import is_suspended, write_facts
from seclatch.recording.trace.event_kinds import EventKind

_NO_WAKEUP = 1  # BPF_RB_NO_WAKEUP: the recorder looks by itself, which costs the traced nothing


class Program(Primitives):
    """Knows segments and events; see `seclatch.recording.backends.bpf.abi` for both."""

    notices_words = False
    """Whether a container is to be watched by its id: the verifier takes 4 ms for that."""

    def begin_segment(self, kind: EventKind) -> None:
        """Take a number and a slot: Stack.NEW_SEGMENT and NEW_SLOT, which has one task then."""
        done, got = self.unique("begun"), self.unique("slot")
        self.load_map_value(R1, self.maps.control.fd, Control.NEXT_SEGMENT)
        self.move(R2, 1)
        self.add_atomic(8, R1, 0, R2, fetch=True)
        self.store(4, R10, Stack.NEW_SEGMENT, R2)
        self.store_value(4, R10, Stack.NEW_SLOT, 0)
        self.load_map(R1, self.maps.free.fd)
        self.point(R2, R10, Stack.NEW_SLOT)
        self.call(Helper.MAP_POP)
        self.jump_if("jeq", R0, 0, got)
        self.load_map_value(R1, self.maps.control.fd, Control.NEXT_SLOT)
        self.move(R2, 1)
        self.add_atomic(8, R1, 0, R2, fetch=True)
        self.store(4, R10, Stack.NEW_SLOT, R2)
        self.jump_if("jlt", R2, SLOTS, got)
        self.store_value(4, R10, Stack.NEW_SLOT, 0)
        self.count_lost(Control.LOST_SLOTS)
        self.jump(done)
        self.label(got)
        self.look_up(self.maps.slots, Stack.NEW_SLOT, done)
        for source, target in (
            (Stack.NEW_SEGMENT, Slot.SEGMENT),
            (Stack.SEGMENT, Slot.PARENT),
            (Stack.TGID, Slot.TGID),
        ):
            self.load(4, R1, R10, source)
            self.store(4, R0, target, R1)
        self.store_value(4, R0, Slot.KIND, kind)
        self.store_value(4, R0, Slot.TASKS, 1)
        self.store_value(4, R0, Slot.BUDGET, 0)
        self.label(done)

    def leave_segment(self) -> None:
        """Take a task out of Stack.SEGMENT; the last one to leave says that it is closed.

        With fetch the subtraction is a full barrier: whatever the others counted is there by then.
        """
        done = self.unique("left")
        self.load(4, R1, R10, Stack.SLOT)
        self.jump_if("jeq", R1, 0, done)
        self.look_up(self.maps.slots, Stack.SLOT, done)
        self.move(R1, -1)
        self.add_atomic(4, R0, Slot.TASKS, R1, fetch=True)
        self.jump_if("jne", R1, 1, done, bits=32)
        closed = Stack.CLOSED
        self.store_value(8, R10, closed + Event.TIME, 0)
        self.store_value(4, R10, closed + Event.KIND, EventKind.CLOSED)
        self.store_value(4, R10, closed + Event.PARENT, 0)
        for source, target in (
            (Stack.TID, Event.TID),
            (Stack.SEGMENT, Event.SEGMENT),
            (Stack.SLOT, Event.SLOT),
            (Stack.TGID, Event.TGID),
        ):
            self.copy_word(closed + target, R10, source)
        self.load_map(R1, self.maps.ring.fd)
        self.point(R2, R10, closed)
        self.move(R3, Event.HEADER)
        self.move(R4, _NO_WAKEUP)
        self.call(Helper.RINGBUF_OUTPUT)
        self.jump_if("jeq", R0, 0, done)
        self.count_lost(Control.LOST_EVENTS)
        self.label(done)

    def send(self, kind: EventKind, size: int, fill: Callable[[], None]) -> None:
        """Send an event: header from the stack, the rest by `fill` (r9 = the event)."""
        done, lost = self.unique("sent"), self.unique("lost")
        self.load_map(R1, self.maps.ring.fd)
        self.move(R2, size)
        self.move(R3, 0)
        self.call(Helper.RINGBUF_RESERVE)
        self.jump_if("jeq", R0, 0, lost)
        self.move(R9, R0)
        self.store_value(4, R9, Event.KIND, kind)
        for source, target in (
            (Stack.TID, Event.TID),
            (Stack.NEW_SEGMENT, Event.SEGMENT),
            (Stack.SEGMENT, Event.PARENT),
            (Stack.NEW_SLOT, Event.SLOT),
            (Stack.TGID, Event.TGID),
        ):
            self.load(4, R1, R10, source)
            self.store(4, R9, target, R1)
        self.call(Helper.KTIME)
        self.store(8, R9, Event.TIME, R0)
        fill()
        self.move(R1, R9)
        self.move(R2, _NO_WAKEUP)
        self.call(Helper.RINGBUF_SUBMIT)
        self.jump(done)
        self.label(lost)
        self.count_lost(Control.LOST_EVENTS)
        self.label(done)

    def write_facts(self) -> None:
        """Fill in what is known of the task in r8 (r9 = the event)."""
        write_facts(self)

    def notice_changes(self) -> None:
        """Begin a segment when filters were loaded, and tell when seccomp is lifted or put back.

        Looked at when a call is entered and when it is left: the call that loads a filter still
        belongs to the segment before, and a thread that another one's TSYNC has put under a filter
        notices by itself.
        """
        same, end = self.unique("same"), self.unique("noticed")
        self.load(4, R1, R8, self.offsets["task_struct.seccomp.filter_count"])
        self.load(4, R2, R7, Task.FILTERS)
        self.jump_if("jeq", R1, R2, same)
        self.store(4, R7, Task.FILTERS, R1)
        self.copy_word(Stack.SEGMENT, R7, Task.SEGMENT)
        self.copy_word(Stack.SLOT, R7, Task.SLOT)
        self.begin_segment(EventKind.FILTER)
        self.send(EventKind.FILTER, Event.FACTS_END, self.write_facts)
        self._enter_new()
        self.leave_segment()
        self.label(same)
        self.load(4, R1, R8, self.offsets["task_struct.ptrace"])
        is_suspended(self, R1)
        self.load(4, R2, R7, Task.SUSPENDED)
        self.jump_if("jeq", R1, R2, end)
        self.store(4, R7, Task.SUSPENDED, R1)
        self.store(4, R10, Stack.OTHER, R1)
        self.copy_word(Stack.NEW_SEGMENT, R7, Task.SEGMENT)
        self.copy_word(Stack.SEGMENT, R7, Task.SEGMENT)
        self.copy_word(Stack.NEW_SLOT, R7, Task.SLOT)
        self.send(EventKind.SUSPENSION, Event.SUSPENSION_SIZE, self._write_suspension)
        self.label(end)

    def _write_suspension(self) -> None:
        self.load(4, R1, R10, Stack.OTHER)
        self.store(4, R9, Event.FILTERS, R1)

    def _enter_new(self) -> None:
        for source, target in ((Stack.NEW_SEGMENT, Task.SEGMENT), (Stack.NEW_SLOT, Task.SLOT)):
            self.load(4, R1, R10, source)
            self.store(4, R7, target, R1)

    def write_entry(self, state: State) -> None:
        """Put a task's entry on the stack: in the new segment, facts read from r8."""
        entry = Stack.TASK
        self.copy_word(entry + Task.SEGMENT, R10, Stack.NEW_SEGMENT)
        self.copy_word(entry + Task.SLOT, R10, Stack.NEW_SLOT)
        self.store_value(4, R10, entry + Task.STATE, state)
        self.store_value(4, R10, entry + Task.NUMBER, 0)
        self.store_value(4, R10, entry + Task.FIRST, 0)
        filters = self.offsets["task_struct.seccomp.filter_count"]
        self.read_kernel(4, R8, filters, entry + Task.FILTERS)
        self.read_kernel(4, R8, self.offsets["task_struct.ptrace"], entry + Task.SUSPENDED)
        self.load(4, R1, R10, entry + Task.SUSPENDED)
        is_suspended(self, R1)
        self.store(4, R10, entry + Task.SUSPENDED, R1)

    def put_entry(self) -> None:
        """Enter the entry on the stack for Stack.TID."""
        done = self.unique("put")
        self.load_map(R1, self.maps.tasks.fd)
        self.point(R2, R10, Stack.TID)
        self.point(R3, R10, Stack.TASK)
        self.move(R4, 0)
        self.call(Helper.MAP_UPDATE)
        self.jump_if("jeq", R0, 0, done)
        self.count_lost(Control.LOST_TASKS)
        self.label(done)
