"""Filters as the kernel holds them, read without stopping anybody (a BPF task iterator).

Linux 5.8 with BTF, CAP_BPF and CAP_PERFMON. Why not ptrace:
docs/decisions/0025-reading-live-filters.md.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from seclatch.bpf.compiled_object import import_object
from seclatch.bpf.kernel_types import find_kernel_types
from seclatch.bpf.object_loader import Loader
from seclatch.errors import SeclatchError
from seclatch.system import bpf

HEADER = struct.Struct("=IIIII4x")
"""`struct task_header` in native/bpf/filters.bpf.c."""

LAYER = struct.Struct("=QII")
"""`struct layer`: which filter, where in the store, bytes; NOT_COPIED as place: not there."""

NOT_COPIED = 0xFFFFFFFF
LAYERS = 64
LARGEST = 4096 * 8
STORE = 2 << 20

_DOING = "reading filters with eBPF"
_CHUNK = 1 << 15
_ROUNDS = 16
_USED = struct.Struct("=Q")


@dataclass(frozen=True, slots=True)
class Layer:
    """One filter of a task.

    `identity` is one number for all tasks that inherited it from the same load, and means nothing
    else; `code` are its instructions, None where they were not read.
    """

    identity: int
    code: bytes | None


@dataclass(frozen=True, slots=True)
class Held:
    """What binds a thread.

    Mode (1 strict, 2 filter), how many filters, and those (newest first; LAYERS at most).
    """

    tid: int
    pid: int
    mode: int
    count: int
    layers: tuple[Layer, ...]


def read_kernel(tid: int = 0) -> dict[int, Held]:
    """Return the seccomp state of threads by their id: of all visible ones, or only of `tid`.

    Threads without seccomp, and those that have ended, are left out. Raises SeclatchError.
    """
    found = import_object("filters")
    loader = Loader(found, find_kernel_types(found.questions(), _DOING))
    try:
        with _FilterReader(loader) as reader:
            return reader.read(tid)
    except bpf.VerifierError as error:
        last = error.log.strip().splitlines()[-3:]
        raise SeclatchError(
            f"{_DOING}: the kernel refused the {error}: {' / '.join(last)}",
            remedy="it takes Linux 5.8 or newer; if this one is newer, please report this message",
        ) from error
    except OSError as error:
        raise SeclatchError(
            f"{_DOING}: {error.strerror}",
            remedy="it takes root on the host (CAP_BPF and CAP_PERFMON) and Linux 5.8 or newer "
            "with CONFIG_BPF_SYSCALL=y and CONFIG_DEBUG_INFO_BTF=y",
        ) from error


class _FilterReader:
    """The program with its maps; everything goes with the descriptors."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader
        self._program = -1
        self._codes: dict[int, bytes] = {}
        bpf.raise_locked_memory()
        try:
            self._program = loader.load("read_filters")
            self._globals = loader.use(".bss").map_memory(size=mmap.PAGESIZE)
            self._memory = loader.use("store").map_memory(size=STORE, writable=False)
        except BaseException:
            self._close()
            raise

    def read(self, tid: int) -> dict[int, Held]:
        """Run over all tasks; again while there are filters that did not fit into the store."""
        for _ in range(_ROUNDS):
            held = {each.tid: each for each in self._round(tid)}
            if not self._full():
                break
            _USED.pack_into(self._globals, self._loader.find_global("used"), 0)
        return held

    def _full(self) -> bool:
        used = _USED.unpack_from(self._globals, self._loader.find_global("used"))[0]
        return bool(used > STORE - LARGEST)

    def _round(self, tid: int) -> Iterator[Held]:
        fd = self._open(tid)
        rest = b""
        try:
            while data := self._next(fd):
                rest += data
                position = 0
                while (size := _record_size(rest, position)) <= len(rest) - position:
                    held = self._interpret(rest, position)
                    if not tid or held.tid == tid:
                        yield held
                    position += size
                rest = rest[position:]
        finally:
            os.close(fd)

    def _open(self, tid: int) -> int:
        if tid:
            # Before Linux 6.1 an iterator is for all tasks.
            with contextlib.suppress(OSError):
                return bpf.open_iterator(self._program, tid)
        return bpf.open_iterator(self._program)

    def _next(self, fd: int) -> bytes:
        while True:
            try:
                return os.read(fd, _CHUNK)
            except OSError as error:
                # The iterator looks up when it has passed a great many tasks without a record.
                if error.errno != errno.EAGAIN:
                    raise

    def _interpret(self, data: bytes, position: int) -> Held:
        tid, pid, mode, count, layers = HEADER.unpack_from(data, position)
        position += HEADER.size
        found = [LAYER.unpack_from(data, position + n * LAYER.size) for n in range(layers)]
        return Held(tid, pid, mode, count, tuple(map(self._layer, found)))

    def _layer(self, entry: tuple[int, int, int]) -> Layer:
        identity, place, size = entry
        if identity not in self._codes and place != NOT_COPIED:
            self._codes[identity] = self._memory[place : place + size]
        return Layer(identity, self._codes.get(identity))

    def _close(self) -> None:
        if self._program >= 0:
            os.close(self._program)
        self._loader.close()

    def __enter__(self) -> _FilterReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._memory.close()
        self._globals.close()
        self._close()


def _record_size(data: bytes, position: int) -> int:
    """Bytes of the record there; more than there are if not even its header is whole."""
    if len(data) - position < HEADER.size:
        return HEADER.size
    layers = HEADER.unpack_from(data, position)[4]
    return HEADER.size + int(layers) * LAYER.size
