"""The kernel programs of a closer look: refused and failed calls one by one, with arguments.

They run beside the counting ones, and only where somebody asks why a command fails. Beside the
events each segment has a *flight* of its last calls in memory: what a process did before it ended
tells a failure that it got over from the one that ended it.
"""

from __future__ import annotations

from seclatch.model.arch import Arch
from seclatch.model.syscall import load_syscalls
from seclatch.recording.backends.bpf import abi
from seclatch.recording.backends.bpf.abi import SECCOMP_MODE_DEAD, Slot, State, Task
from seclatch.recording.backends.bpf.assembler import R0, R1, R2, R6, R7, R8, R9, R10, Helper
from seclatch.recording.backends.bpf.builder_parts import Stack
from seclatch.recording.backends.bpf.detail_builder import Frame, WitnessMaps, WitnessProgram
from seclatch.recording.backends.bpf.detail_events import EACH, ERRNOS, IN_FILTERED, REFUSALS, What
from seclatch.recording.backends.bpf.syscall_programs import leave_tracers_out
from seclatch.recording.trace.event_kinds import EventKind

__all__ = ["WitnessMaps", "WitnessProgram", "write_witness", "write_witness_end"]

_MAX_ERRNO = 4095
_STDERR = 2


def write_witness(p: WitnessProgram) -> None:
    """sys_exit(regs, result), after the counting program, which knows refusals."""
    numbers = load_syscalls(Arch.native()).numbers
    p.move(R6, R1)
    p.find_current("out")
    p.load(8, R1, R6, 8)
    p.store(8, R10, Frame.RESULT, R1)
    p.load(8, R9, R6, 0)
    p.read_registers()
    p.note_flight("out")
    p.load(4, R1, R7, Task.STATE)
    p.jump_if("jeq", R1, State.REFUSED, "refused")
    p.load_result(R1)
    p.jump_if("jsge", R1, 0, "made")
    p.compute("neg", R1, 0)
    p.jump_if("jgt", R1, _MAX_ERRNO, "made")
    p.jump_if("jge", R1, ERRNOS, "made")
    p.load_map_value(R2, p.own.wanted.fd, abi.NUMBERS)
    p.compute("add", R2, R1)
    p.load(1, R1, R2, 0)
    p.jump_if("jeq", R1, 0, "made")
    p.few(What.FAILED, EACH, "made")
    p.store_value(4, R10, Frame.WHAT, What.FAILED)
    p.jump("tell")
    p.label("made")
    _find_messages(p, numbers["write"], numbers["writev"])
    p.look_up(p.maps.slots, Stack.SLOT, "out")
    p.load(4, R1, R0, Slot.KIND)
    p.jump_if("jne", R1, EventKind.FILTER, "out")
    p.few(What.CALL, IN_FILTERED, "out")
    p.store_value(4, R10, Frame.WHAT, What.CALL)
    p.jump("tell")
    p.label("refused")
    leave_tracers_out(p, "out")
    p.few(What.REFUSED, REFUSALS, "out")
    p.store_value(4, R10, Frame.WHAT, What.REFUSED)
    p.label("tell")
    p.send_sight(None, text="path")
    p.label("out")
    p.exit()
    p.label("said")
    p.send_sight(What.SAID, text="bytes")
    p.exit()
    p.label("said in pieces")
    p.send_sight(What.SAID_IN_PIECES, text="vector")
    p.exit()


def _find_messages(p: WitnessProgram, write: int, writev: int) -> None:
    """What is written to standard error (descriptor 2): where errors are told to people."""
    other, standard = p.unique("other"), p.unique("standard")
    p.load(4, R1, R10, Frame.NUMBER)
    p.jump_if("jeq", R1, write, standard)
    p.jump_if("jne", R1, writev, other)
    p.label(standard)
    first = "di" if p.machine == "x86_64" else "orig_x0"
    p.load(8, R1, R10, Frame.REGS)
    p.move(R6, R1)
    p.read_kernel(8, R6, p.offsets[f"pt_regs.{first}"], Frame.VECTOR)
    p.load(4, R1, R10, Frame.VECTOR)
    p.jump_if("jne", R1, _STDERR, other)
    p.load_result(R1)
    p.jump_if("jsle", R1, 0, other)
    p.load(4, R1, R10, Frame.MODE)
    p.jump_if("jne", R1, 0, other)
    p.load(4, R1, R10, Frame.NUMBER)
    p.jump_if("jeq", R1, writev, "said in pieces")
    p.jump("said")
    p.label(other)


def write_witness_end(p: WitnessProgram) -> None:
    """sched_process_exit(task), before the counting program: KILL_THREAD leaves no sys_exit."""
    p.find_current("out")
    p.load(4, R1, R7, Task.STATE)
    p.jump_if("jeq", R1, State.REFUSED, "out")
    p.load(4, R1, R8, p.offsets["task_struct.seccomp.mode"])
    p.jump_if("jne", R1, SECCOMP_MODE_DEAD, "out")
    p.store_value(8, R10, Frame.RESULT, 0)
    p.move(R1, R8)
    p.call(Helper.TASK_PT_REGS)
    p.move(R9, R0)
    p.read_registers()
    p.call(Helper.KTIME)
    p.store(8, R10, Frame.TIME, R0)
    p.copy_word(Stack.SEGMENT, R7, Task.SEGMENT)
    p.send_sight(What.REFUSED, text="path")
    p.label("out")
    p.exit()
