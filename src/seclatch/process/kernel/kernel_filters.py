"""Filters as the kernel holds them, read without stopping anybody (a BPF task iterator).

Linux 5.8 with BTF, CAP_BPF and CAP_PERFMON. Why not ptrace:
docs/decisions/0025-reading-live-filters.md.
"""

from __future__ import annotations

import contextlib
import errno
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from seclatch.errors import SeclatchError
from seclatch.process.kernel import filter_iterator
from seclatch.process.kernel.filter_iterator import HEADER, LAYER, NOWHERE, PLACES, STORE
from seclatch.recording.backends.bpf.task_offsets import find_places
from seclatch.system import bpf

_DOING = "reading filters with eBPF"
_SEEN = 1 << 16
_CHUNK = 1 << 15
_ROUNDS = 8


@dataclass(frozen=True, slots=True)
class Layer:
    """One filter of a task. `identity` is one number for everybody who inherited it from the same
    load, and means nothing else; `code` are its instructions, None where they were not read."""

    identity: int
    code: bytes | None


@dataclass(frozen=True, slots=True)
class Held:
    """What binds a thread: mode (1 strict, 2 filter), how many filters, and those (newest first;
    `program.LAYERS` at most)."""

    tid: int
    pid: int
    mode: int
    count: int
    layers: tuple[Layer, ...]


def read_kernel(tid: int = 0) -> dict[int, Held]:
    """Answer who is under seccomp, by thread id; all threads that we can see, or only `tid`.

    Threads that are not in the answer have no seccomp, or have ended. Raises SeclatchError.
    """
    places = find_places(PLACES, _DOING)
    try:
        with _Reader(places) as reader:
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


class _Reader:
    """The program with its maps; everything goes with the descriptors."""

    def __init__(self, places: dict[str, int]) -> None:
        self._fds: list[int] = []
        self._codes: dict[int, bytes] = {}
        try:
            self._prepare(places)
        except BaseException:
            self._close()
            raise

    def _prepare(self, places: dict[str, int]) -> None:
        bpf.raise_locked_memory()
        seen = self._map(bpf.HASH, key=8, value=8, entries=_SEEN, flags=bpf.NO_PREALLOC)
        self._cursor = self._map(bpf.ARRAY, key=4, value=8, entries=1)
        store = self._map(bpf.ARRAY, key=4, value=STORE, entries=1, flags=bpf.MMAPABLE)
        self._memory = store.map_memory(size=STORE, writable=False)
        code = filter_iterator.write(
            filter_iterator.Maps(seen.fd, self._cursor.fd, store.fd), places
        )
        self._program = bpf.load_program(code, "filters", places["bpf_iter_task()"])
        self._fds.append(self._program)

    def _map(self, kind: int, *, key: int, value: int, entries: int, flags: int = 0) -> bpf.Map:
        made = bpf.create_map(
            kind, key=key, value=value, entries=entries, flags=flags, name="filters"
        )
        self._fds.append(made.fd)
        return made

    def read(self, tid: int) -> dict[int, Held]:
        """Run over all tasks; again while there are filters that did not fit into the store."""
        for _ in range(_ROUNDS):
            held = {each.tid: each for each in self._round(tid)}
            if not self._full():
                break
            self._cursor.set(bytes(4), bytes(8))
        return held

    def _full(self) -> bool:
        used = struct.unpack("=Q", self._cursor.get(bytes(4)) or bytes(8))[0]
        return bool(used > STORE - filter_iterator.LARGEST)

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
        if identity not in self._codes and place != NOWHERE:
            self._codes[identity] = self._memory[place : place + size]
        return Layer(identity, self._codes.get(identity))

    def _close(self) -> None:
        for fd in self._fds:
            os.close(fd)
        self._fds = []

    def __enter__(self) -> _Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self._memory.close()
        self._close()


def _record_size(data: bytes, position: int) -> int:
    """Bytes of the record there; more than there are if not even its header is whole."""
    if len(data) - position < HEADER.size:
        return HEADER.size
    layers = HEADER.unpack_from(data, position)[4]
    return HEADER.size + int(layers) * LAYER.size
