"""The closer look that a recording may take besides: its maps, programs, and what reads them."""

from __future__ import annotations

import mmap

from seclatch.model.arch import Arch
from seclatch.model.syscall import table
from seclatch.record import layout, sights
from seclatch.record.layout import COUNT
from seclatch.record.offsets import Offsets
from seclatch.record.primitives import Maps
from seclatch.record.ring import Ring
from seclatch.record.sights import RING_SIZE, Flights, Sights
from seclatch.record.witness import WitnessMaps, WitnessProgram, write_witness, write_witness_end
from seclatch.system import bpf


class Closer:
    """Reads what the programs of `seclatch.record.witness` leave."""

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
            bpf.ARRAY, key=4, value=sights.Flight.SIZE, entries=layout.SLOTS, flags=bpf.MMAPABLE,
            name="flights",
        ),
        sights=bpf.create_map(
            bpf.RINGBUF, key=0, value=0, entries=sights.RING_SIZE, name="sights"
        ),
        seen=bpf.create_map(
            bpf.HASH, key=layout.RARE_KEY.size, value=8, entries=layout.RARE,
            flags=bpf.NO_PREALLOC, name="seen",
        ),
        wanted=bpf.create_map(
            bpf.ARRAY, key=4, value=sights.WANTED_SIZE, entries=1, name="wanted"
        ),
        lost=bpf.create_map(
            bpf.ARRAY, key=4, value=8, entries=1, flags=bpf.MMAPABLE, name="lost"
        ),
    )  # fmt: skip
    maps.wanted.set(bytes(4), sights.wanted(table(Arch.native()).numbers))
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
