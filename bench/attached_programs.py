"""Run a work with programs attached: empty ones, the recorder's, and under `seclatch record`.

A run counts only if no other recorder was attached meanwhile, which slows all processes.
"""

from __future__ import annotations

import os
import struct
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import NamedTuple

from bench.record import ENVIRONMENT, NOTHING, is_recorder
from bench.recorder_cpu import DESCRIPTOR
from seclatch.bpf.compiled_object import CompiledObject, import_object
from seclatch.bpf.kernel_types import find_kernel_types
from seclatch.bpf.object_loader import Loader
from seclatch.recording.backends.bpf.loader import Probe, make_argument_specs
from seclatch.system import bpf

CALLS = ("sys_enter", "sys_exit")
LIFE = ("sched_process_fork", "sched_process_exec", "sched_process_exit")
EXITS = ("find_denial_at_exit", "count_entry")
FOLLOW = ("follow_fork", "follow_exec", "follow_exit")
RECORD = [sys.executable, "-m", "bench.recorder_cpu", "-q", "-o", "/dev/shm/seclatch-floor.json"]
# r0 = 0; exit
EMPTY = struct.pack("<BBhiBBhi", 0xB7, 0, 0, 0, 0x95, 0, 0, 0)
WAIT_SECONDS = 600

Follow = Callable[[], object]


class Spent(NamedTuple):
    """CPU seconds (user and system) of the work with what it starts, and of the recorder."""

    work: float
    recorder: float = 0.0


Variant = Callable[[Sequence[str]], Spent | None]
"""Runs the work; None if another recorder was attached meanwhile."""


def attached(attach: Callable[[], AbstractContextManager[Follow]], own: int = 0) -> Variant:
    """Return a variant: the work with these programs attached, `own` of them recorders'."""

    def run_attached(words: Sequence[str]) -> Spent | None:
        wait_for_quiet()
        with attach() as follow:
            seconds = run(words, follow, own)
        return None if seconds is None else Spent(seconds)

    return run_attached


@contextmanager
def nothing() -> Iterator[Follow]:
    yield lambda: None


def empty(*names: str) -> Variant:
    """Return a variant with a program at each of these tracepoints that does nothing."""

    @contextmanager
    def attach() -> Iterator[Follow]:
        targets = find_kernel_types(tuple(f"trace:{name}" for name in names), "measuring")
        with ExitStack() as stack:
            for target in targets.values():
                program = bpf.load_program(EMPTY, "empty", bpf.ProgramKind.TRACEPOINT, target or 0)
                stack.callback(os.close, program)
                stack.callback(os.close, bpf.attach(program))
            yield lambda: None

    return attached(attach)


def recorder(found: CompiledObject, *names: str) -> Variant:
    """Return a variant with these programs of a recorder's object; the work registers itself."""
    types = find_kernel_types(found.questions(), "measuring")

    @contextmanager
    def attach() -> Iterator[Follow]:
        loader = Loader(found, types, {"argument_specs": make_argument_specs()})
        probe = Probe(loader)
        try:
            probe.prepare_registration()
            for name in (*FOLLOW, *names):
                probe.attach(name)
            yield probe.register_self
        finally:
            probe.close()

    return attached(attach, own=1)


def record(words: Sequence[str]) -> Spent | None:
    """Run the work under `seclatch record`; less what recording `true` costs more than `true`."""
    bare = attached(nothing)(NOTHING)
    fixed, found = (record_once(each) for each in (NOTHING, words))
    if not bare or not fixed or not found:
        return None
    return Spent(found.work - fixed.work + bare.work, found.recorder - fixed.recorder)


def record_once(words: Sequence[str]) -> Spent | None:
    """Record a command to its end."""
    wait_for_quiet()
    reading, writing = os.pipe()

    def pass_descriptor() -> None:
        os.dup2(writing, DESCRIPTOR)

    seconds = run([*RECORD, "--", *words], pass_descriptor, 1)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        own, work = map(float, pipe.read().split())
    return None if seconds is None else Spent(work, own)


def variants(before: CompiledObject | None) -> dict[str, Variant]:
    """Return all variants; `before`: an older object, to be compared with in the same rounds."""
    present = import_object(f"recorder_{os.uname().machine}")
    found: dict[str, Variant] = {
        "nothing": attached(nothing),
        "an empty program at sys_enter": empty(*CALLS[:1]),
        "another at sys_exit": empty(*CALLS),
        "and at fork, exec and exit": empty(*CALLS, *LIFE),
        "the recorder's, entries alone": recorder(present, "count_call"),
        "and after the kernel's check": recorder(present, "find_denial_after_check", "count_call"),
        "or at exits": recorder(present, *EXITS),
    }
    if before:
        found["or at exits, before"] = recorder(before, *EXITS)
    found["seclatch record"] = record
    return found


def recorders() -> int:
    """Count the recorders' programs at sys_enter in the kernel."""
    return sum(map(is_recorder, bpf.programs()))


def run(words: Sequence[str], prepare: Follow, own: int) -> float | None:
    """Return the CPU seconds (user and system) of the work and what it starts.

    None if there were more recorders than the `own` ones meanwhile.
    """
    pid = os.fork()
    if pid == 0:
        try:
            null = os.open("/dev/null", os.O_RDWR)
            for fd in (0, 1):
                os.dup2(null, fd)
            prepare()
            os.execve(words[0], list(words), ENVIRONMENT)
        finally:
            os._exit(127)
    ended, quiet = 0, True
    while not ended:
        quiet = quiet and recorders() <= own
        time.sleep(0.02)
        ended, status, usage = os.wait4(pid, os.WNOHANG)
    if status:
        raise RuntimeError(f"{words[0]}: status {status}")
    return usage.ru_utime + usage.ru_stime if quiet else None


def wait_for_quiet() -> None:
    """Wait until no recorder is attached."""
    end = time.monotonic() + WAIT_SECONDS
    while recorders():
        if time.monotonic() > end:
            sys.exit("bench floor: another recorder is attached; try again when it has ended")
        time.sleep(0.01)
