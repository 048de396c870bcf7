"""Puts the recorder's maps and programs into the kernel, and says what a kernel lacks."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from seclatch.errors import SeclatchError
from seclatch.model.arch import Arch
from seclatch.model.syscall import load_syscalls
from seclatch.recording.backends.bpf import abi, lifecycle_programs, syscall_programs
from seclatch.recording.backends.bpf.abi import CONTROL, Control, Slot, Task
from seclatch.recording.backends.bpf.builder_parts import Maps
from seclatch.recording.backends.bpf.program_builder import Program
from seclatch.recording.backends.bpf.task_offsets import Offsets, find_offsets
from seclatch.system import bpf

if TYPE_CHECKING:
    from seclatch.recording.backends.bpf.detail_programs import WitnessMaps

_PROGRAMS: dict[str, Callable[[Program], None]] = {
    "sched_process_fork": lifecycle_programs.write_fork,
    "sched_process_exec": lifecycle_programs.write_exec,
    "sched_process_exit": lifecycle_programs.write_end,
    "sys_exit": syscall_programs.write_exit,
    "sys_enter": syscall_programs.write_enter,
}
"""By raw tracepoint, in the order in which they are attached."""


class Probe:
    """Maps and attached programs. Closing it, or the end of this process, detaches everything."""

    def __init__(
        self, maps: Maps, register: int, attached: list[int], own: WitnessMaps | None = None
    ) -> None:
        self.maps = maps
        self.own = own
        self._register = register
        self._attached = attached

    def register_self(self) -> int:
        """Follow the calling thread from now on; answer its id in the initial pid namespace."""
        return bpf.run_here(self._register)

    def detach(self) -> None:
        """Stop recording: no task on the host is slowed down any more. The maps stay readable."""
        for fd in self._attached:
            os.close(fd)
        self._attached = []

    def close(self) -> None:
        """Give everything back."""
        self.detach()
        if self._register >= 0:
            os.close(self._register)
            self._register = -1
            for each in [*_each(self.maps), *_each(self.own)]:
                os.close(each.fd)


def _each(maps: Maps | WitnessMaps | None) -> list[bpf.Map]:
    return [getattr(maps, name) for name in type(maps).__slots__] if maps else []


def load(*, closely: bool = False, by_words: bool = False) -> Probe:
    """Load and attach the programs; `closely`: also those of `detail_programs`. `by_words`:
    who calls for the watched container by its id can be noticed.

    Raises SeclatchError: what is missing, and what to do.
    """
    offsets = find_offsets()
    bpf.raise_locked_memory()
    fds: list[int] = []
    try:
        maps = _create_maps()
        fds += [each.fd for each in _each(maps)]
        register = _load(maps, offsets, "register", lifecycle_programs.write_register)
        fds.append(register)
        own = _create_more_maps() if closely else None
        fds += [each.fd for each in _each(own)]
        attached = []
        for tracepoint, code in _programs(maps, own, offsets, by_words=by_words):
            program = bpf.load_program(code, tracepoint)
            attached.append(bpf.attach(tracepoint, program))
            os.close(program)
            fds.append(attached[-1])
    except OSError as error:
        _close(fds)
        raise _explain(error) from error
    except bpf.VerifierError as error:
        _close(fds)
        last = error.log.strip().splitlines()[-3:]
        raise SeclatchError(
            f"recording with eBPF: the kernel refused the {error}: {' / '.join(last)}",
            remedy=f"recording takes Linux 5.15 or newer, this is {os.uname().release}; if it is "
            "newer, please report this message",
        ) from error
    return Probe(maps, register, attached, own)


def _programs(
    maps: Maps, own: WitnessMaps | None, offsets: Offsets, *, by_words: bool = False
) -> Iterator[tuple[str, bytes]]:
    """All programs in the order in which they are attached, which is that in which they run."""
    if own:
        from seclatch.recording.backends.bpf import detail_mode

        yield "sched_process_exit", detail_mode.end_program(maps, own, offsets)
    for tracepoint, write in _PROGRAMS.items():
        program = Program(maps, offsets)
        program.notices_words = by_words
        write(program)
        yield tracepoint, program.code()
    if own:
        yield "sys_exit", detail_mode.exit_program(maps, own, offsets)


def _load(maps: Maps, offsets: Offsets, name: str, write: Callable[[Program], None]) -> int:
    program = Program(maps, offsets)
    write(program)
    return bpf.load_program(program.code(), name)


def _close(fds: list[int]) -> None:
    for fd in fds:
        with contextlib.suppress(OSError):
            os.close(fd)


def _create_maps() -> Maps:
    hashed = {"kind": bpf.HASH, "value": 8, "flags": bpf.NO_PREALLOC}
    maps = Maps(
        tasks=bpf.create_map(bpf.HASH, key=4, value=Task.SIZE, entries=abi.TASKS, name="tasks"),
        slots=bpf.create_map(
            bpf.ARRAY,
            key=4,
            value=Slot.SIZE,
            entries=abi.SLOTS,
            flags=bpf.MMAPABLE,
            name="slots",
        ),
        free=bpf.create_map(bpf.QUEUE, key=0, value=4, entries=abi.SLOTS, name="free"),
        control=bpf.create_map(bpf.ARRAY, key=4, value=Control.SIZE, entries=1, name="control"),
        rare=bpf.create_map(key=abi.RARE_KEY.size, entries=abi.RARE, name="rare", **hashed),
        arguments=bpf.create_map(
            key=abi.ARGUMENT_KEY.size, entries=abi.ARGUMENTS, name="arguments", **hashed
        ),
        specs=bpf.create_map(bpf.ARRAY, key=4, value=abi.NUMBERS, entries=1, name="specs"),
        ring=bpf.create_map(bpf.RINGBUF, key=0, value=0, entries=abi.RING_SIZE, name="ring"),
        watch=bpf.create_map(bpf.ARRAY, key=4, value=abi.Watch.SIZE, entries=1, name="watch"),
    )
    maps.control.set(bytes(4), CONTROL.pack(abi.FIRST_OWN, 0, 0, 0, 0, 0, abi.FIRST_OWN))
    maps.specs.set(bytes(4), _specs())
    return maps


def _create_more_maps() -> WitnessMaps:
    from seclatch.recording.backends.bpf import detail_mode

    return detail_mode.create_maps()


def _specs() -> bytes:
    """One byte by system call number: which of its arguments are kept."""
    specs = bytearray(abi.NUMBERS)
    numbers = load_syscalls(Arch.native()).numbers
    for name, spec in abi.KEPT_ARGUMENTS.items():
        if (number := numbers.get(name)) is not None:
            specs[number] = spec
    return bytes(specs)


def _explain(error: OSError) -> SeclatchError:
    what = f"recording with eBPF: bpf(2): {error.strerror}"
    if error.errno == errno.EPERM:
        lockdown = Path("/sys/kernel/security/lockdown")
        if lockdown.exists() and "[confidentiality]" in lockdown.read_text():
            return SeclatchError(
                what,
                remedy="the kernel is locked down (lockdown=confidentiality) and lets nobody "
                "look inside; boot without it to record",
            )
        return SeclatchError(
            what,
            remedy="it takes CAP_BPF and CAP_PERFMON: run it as root on the host, or give "
            "both to this process; in a container, its seccomp profile must allow bpf too",
        )
    if error.errno in (errno.ENOSYS, errno.EINVAL):
        return SeclatchError(
            what,
            remedy="it takes Linux 5.15 or newer with CONFIG_BPF_SYSCALL=y and "
            f"CONFIG_BPF_EVENTS=y; this is {os.uname().release}",
        )
    return SeclatchError(what)
