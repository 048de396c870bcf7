"""The closer look that a recording may take besides: its maps, programs, and what reads them."""

from __future__ import annotations

import mmap

from seclatch.model.arch import Arch
from seclatch.model.syscall import load_syscalls
from seclatch.recording.backends.bpf import abi
from seclatch.recording.backends.bpf import detail_events as sights
from seclatch.recording.backends.bpf.abi import COUNT
from seclatch.recording.backends.bpf.builder_parts import Maps
from seclatch.recording.backends.bpf.detail_events import RING_SIZE, Flights, Sights
from seclatch.recording.backends.bpf.detail_programs import (
    WitnessMaps,
    WitnessProgram,
    write_witness,
    write_witness_end,
)
from seclatch.recording.backends.bpf.event_ring import Ring
from seclatch.recording.backends.bpf.task_offsets import Offsets
from seclatch.system import bpf


class Closer:
    """Reads what the programs of `seclatch.recording.backends.bpf.detail_programs` leave."""

    def __init__(self, own: WitnessMaps, sights: Sights) -> None:
        self._sights = sights
        self._ring = Ring(own.sights, RING_SIZE)
        self._lost = own.lost.map_memory(size=mmap.PAGESIZE, writable=False)
        self._told = 0
        self.flights = Flights(own.flights.map_memory(size=Flights.size()), sights)

    def collect(self) -> None:
        """Take all events that are there."""
        for event in self._ring.read():
            self._sights.add(event)
        lost = COUNT.unpack_from(self._lost)[0]
        self._sights.lost += lost - self._told
        self._told = lost


def create_maps() -> WitnessMaps:
    """Create the maps of a closer look. Raises OSError."""
    maps = WitnessMaps(
        flights=bpf.create_map(
            bpf.ARRAY,
            key=4,
            value=sights.Flight.SIZE,
            entries=abi.SLOTS,
            flags=bpf.MMAPABLE,
            name="flights",
        ),
        sights=bpf.create_map(bpf.RINGBUF, key=0, value=0, entries=sights.RING_SIZE, name="sights"),
        seen=bpf.create_map(
            bpf.HASH,
            key=abi.RARE_KEY.size,
            value=8,
            entries=abi.RARE,
            flags=bpf.NO_PREALLOC,
            name="seen",
        ),
        wanted=bpf.create_map(bpf.ARRAY, key=4, value=sights.WANTED_SIZE, entries=1, name="wanted"),
        lost=bpf.create_map(bpf.ARRAY, key=4, value=8, entries=1, flags=bpf.MMAPABLE, name="lost"),
    )
    maps.wanted.set(bytes(4), sights.wanted(load_syscalls(Arch.native()).numbers))
    return maps


def end_program(maps: Maps, own: WitnessMaps, offsets: Offsets) -> bytes:
    """Write the program for sched_process_exit, which runs before the recorder's own."""
    program = WitnessProgram(maps, offsets, own)
    write_witness_end(program)
    return program.code()


def exit_program(maps: Maps, own: WitnessMaps, offsets: Offsets) -> bytes:
    """Write the program for sys_exit, which runs after the recorder's own."""
    program = WitnessProgram(maps, offsets, own)
    write_witness(program)
    return program.code()
