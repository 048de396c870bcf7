"""bpf(2): maps, programs, raw tracepoints. Numbers and layouts are those of <linux/bpf.h>.

Everything created here is a file descriptor. The kernel releases it when the last one is closed, so
that a recorder that dies leaves nothing attached.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import os
import resource
import struct
from enum import Enum
from typing import Final, NamedTuple

# __NR_bpf: unlike later calls it has no number common to all architectures.
_NUMBERS = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "loongarch64": 280, "s390x": 351}

_MAP_CREATE, _MAP_LOOKUP, _MAP_UPDATE, _MAP_DELETE, _MAP_NEXT_KEY, _PROG_LOAD = range(6)
_PROG_TEST_RUN = 10
_PROG_NEXT_ID, _MAP_NEXT_ID = 11, 12
_PROG_BY_ID, _INFO_BY_FD = 13, 15
_INFO_SIZE = 80
_RAW_TRACEPOINT_OPEN = 17
_BTF_LOAD, _MAP_FREEZE = 18, 22
_MAP_LOOKUP_BATCH = 24
_LINK_CREATE = 28
_ITER_CREATE = 33

ARRAY: Final = 2
TASK_STORAGE: Final = 29

READ_ONLY_FOR_PROGRAMS: Final = 1 << 7
MMAPABLE: Final = 1 << 10

_TRACE_ITER = 28
# Larger than any attribute in use: the kernel takes a longer union whose rest is zero.
_ATTR_SIZE = 128
_LOG_SIZE = 1 << 22

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


class VerifierError(Exception):
    """The kernel refused a program. `str` names it with the errno; `log` is the verifier's log."""

    def __init__(self, message: str, log: str) -> None:
        super().__init__(message)
        self.log = log


def _bpf(command: int, attributes: bytes) -> int:
    """Call bpf(2). Raises OSError; ENOSYS on a machine whose number for the call is not known."""
    buffer = ctypes.create_string_buffer(attributes, _ATTR_SIZE)
    return _call(command, buffer, _ATTR_SIZE)


def _call(command: int, buffer: ctypes.Array[ctypes.c_char], size: int) -> int:
    number = _NUMBERS.get(os.uname().machine)
    if number is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    result = int(_libc.syscall(ctypes.c_long(number), command, buffer, size))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


class Map(NamedTuple):
    """A map's descriptor and its layout: sizes in bytes, at most `entries` of them."""

    fd: int
    key_size: int
    value_size: int
    entries: int

    def get(self, key: bytes) -> bytes | None:
        """Read one value; None if there is no such key."""
        value = ctypes.create_string_buffer(self.value_size)
        try:
            self._element(_MAP_LOOKUP, key, value)
        except OSError as error:
            if error.errno == errno.ENOENT:
                return None
            raise
        return value.raw

    def set(self, key: bytes, value: bytes) -> None:
        """Write one value. Raises OSError (E2BIG when the map is full)."""
        self._element(_MAP_UPDATE, key, ctypes.create_string_buffer(value, len(value)))

    def delete(self, key: bytes) -> None:
        """Delete one value. Raises OSError (ENOENT if there is no such key)."""
        self._element(_MAP_DELETE, key, None)

    def push(self, value: bytes) -> None:
        """Append to a QUEUE. Raises OSError (E2BIG when it is full)."""
        self._element(_MAP_UPDATE, b"", ctypes.create_string_buffer(value, len(value)))

    def items(self, batch: int = 4096) -> list[tuple[bytes, bytes]]:
        """Read all of a HASH (BPF_MAP_LOOKUP_BATCH, Linux 5.6).

        An entry that is added meanwhile may be missed; one that stays is not.
        """
        keys = ctypes.create_string_buffer(self.key_size * batch)
        values = ctypes.create_string_buffer(self.value_size * batch)
        position = ctypes.create_string_buffer(max(self.key_size, 4))
        found: list[tuple[bytes, bytes]] = []
        first, more = True, True
        while more:
            attributes = ctypes.create_string_buffer(
                struct.pack(
                    "=QQQQIIQQ",
                    0 if first else ctypes.addressof(position),
                    ctypes.addressof(position),
                    ctypes.addressof(keys),
                    ctypes.addressof(values),
                    batch,
                    self.fd,
                    0,
                    0,
                ),
                _ATTR_SIZE,
            )
            more = _read_batch(attributes)
            count = struct.unpack_from("=I", attributes, 32)[0]
            found += zip(
                _cut(keys, self.key_size, count), _cut(values, self.value_size, count), strict=True
            )
            first = False
        return found

    def map_memory(self, *, size: int, offset: int = 0, writable: bool = True) -> mmap.mmap:
        """Map the map's memory into this process (MMAPABLE arrays, ring buffers)."""
        protection = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
        return mmap.mmap(self.fd, size, mmap.MAP_SHARED, protection, offset=offset)

    def _element(self, command: int, key: bytes, value: ctypes.Array[ctypes.c_char] | None) -> None:
        held = ctypes.create_string_buffer(key, len(key)) if key else None
        _bpf(
            command,
            struct.pack(
                "=I4xQQQ",
                self.fd,
                ctypes.addressof(held) if held else 0,
                ctypes.addressof(value) if value else 0,
                0,
            ),
        )


def _read_batch(attributes: ctypes.Array[ctypes.c_char]) -> bool:
    """Read the next batch; return whether there are more (ENOENT: this was the last)."""
    try:
        _call(_MAP_LOOKUP_BATCH, attributes, _ATTR_SIZE)
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
        return False
    return True


def _cut(buffer: ctypes.Array[ctypes.c_char], size: int, count: int) -> list[bytes]:
    content = buffer.raw
    return [content[n * size : (n + 1) * size] for n in range(count)]


def raise_locked_memory() -> None:
    """Lift the limit that maps count against before Linux 5.11; without, they fail with EPERM."""
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(
            resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        )


def create_map(  # noqa: PLR0913 (the kernel's own parameters)
    kind: int, *, key: int, value: int, entries: int, flags: int = 0, name: str = ""
) -> Map:
    """Create a map; the name shows in `bpftool map`. Raises OSError."""
    types, ids = (_load_storage_types(value), (1, 2)) if kind == TASK_STORAGE else (0, (0, 0))
    attributes = struct.pack(
        "=IIIIIII16s4xIII",
        kind,
        key,
        value,
        entries,
        flags,
        0,
        0,
        name.encode()[:15],
        types,
        *ids,
    )
    try:
        return Map(_bpf(_MAP_CREATE, attributes), key, value, entries)
    finally:
        if types:
            os.close(types)


def _load_storage_types(value: int) -> int:
    """Load the BTF that task storage asks for: an int, and an array of ints as large as a value."""
    strings = b"\0int\0"
    integer = struct.pack("=IIII", 1, 1 << 24, 4, 1 << 24 | 32)
    array = struct.pack("=IIIIII", 0, 3 << 24, 0, 1, 1, value // 4)
    size = len(integer + array)
    header = struct.pack("=HBBIIIII", 0xEB9F, 1, 0, 24, 0, size, size, len(strings))
    content = ctypes.create_string_buffer(header + integer + array + strings)
    attributes = struct.pack("=QQII", ctypes.addressof(content), 0, len(content) - 1, 0)
    return _bpf(_BTF_LOAD, attributes)


def freeze(constant: Map) -> None:
    """Let nothing change a map any more: the verifier may rely on its values. Raises OSError."""
    _bpf(_MAP_FREEZE, struct.pack("=I", constant.fd))


class ProgramKind(Enum):
    """Program types with their attach types (enum bpf_prog_type, bpf_attach_type)."""

    RAW_TRACEPOINT = (17, 0)
    TRACEPOINT = (26, 23)  # with typed arguments (BPF_TRACE_RAW_TP)
    FENTRY = (26, 24)
    FEXIT = (26, 25)
    ITERATOR = (26, 28)


def load_program(code: bytes, name: str, kind: ProgramKind, target: int = 0) -> int:
    """Load a program, answer its descriptor; `target` is the BTF id of what it is made for.

    Raises OSError when the kernel does not take programs from us, VerifierError when it does not
    take this one.
    """
    try:
        return _load(code, name, None, kind, target)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EACCES):
            raise
        failure = error
    log = ctypes.create_string_buffer(_LOG_SIZE)
    try:
        return _load(code, name, log, kind, target)
    except OSError:
        text = log.value.decode(errors="replace")
        raise VerifierError(f"program {name}: {failure.strerror}", text) from failure


def _load(
    code: bytes, name: str, log: ctypes.Array[ctypes.c_char] | None, kind: ProgramKind, target: int
) -> int:
    instructions = ctypes.create_string_buffer(code, len(code))
    licence = ctypes.create_string_buffer(b"GPL")  # the tracing helpers ask for it
    program_type, attach_type = kind.value
    return _bpf(
        _PROG_LOAD,
        struct.pack(
            "=IIQQIIQII16sII36xI",
            program_type,
            len(code) // 8,
            ctypes.addressof(instructions),
            ctypes.addressof(licence),
            1 if log else 0,
            len(log) if log else 0,
            ctypes.addressof(log) if log else 0,
            0,
            0,
            name.encode()[:15],
            0,
            attach_type,
            target,
        ),
    )


def open_iterator(program: int, tid: int = 0) -> int:
    """Return a descriptor: each read to its end runs an iterator's program once for each item.

    With `tid` only for that thread of this process (a task iterator, Linux 6.1). Raises OSError;
    E2BIG where the kernel has no such choice.
    """
    info = ctypes.create_string_buffer(struct.pack("=III", tid, 0, 0), 12)
    chosen = (ctypes.addressof(info), 12) if tid else (0, 0)
    link = _bpf(_LINK_CREATE, struct.pack("=IIIIQI4x", program, 0, _TRACE_ITER, 0, *chosen))
    try:
        return _bpf(_ITER_CREATE, struct.pack("=II", link, 0))
    finally:
        os.close(link)  # the iterator keeps it


def attach(program: int) -> int:
    """Attach a TRACEPOINT, FENTRY or FEXIT program until the answered descriptor is closed.

    Raises OSError.
    """
    return _bpf(_RAW_TRACEPOINT_OPEN, struct.pack("=QI4x", 0, program))


def run_here(program: int) -> int:
    """Run a raw tracepoint program once in the calling thread; return its return value.

    BPF_PROG_TEST_RUN for raw tracepoints, Linux 5.10. Raises OSError.
    """
    buffer = ctypes.create_string_buffer(struct.pack("=I", program), _ATTR_SIZE)
    # Exactly the fields up to `cpu`: this command refuses longer attributes on some kernels.
    _call(_PROG_TEST_RUN, buffer, 80)
    return int(struct.unpack_from("=I", buffer, 4)[0])


def programs() -> set[int]:
    """Return the ids of all programs that are loaded in the kernel. Raises OSError."""
    return _ids(_PROG_NEXT_ID)


def read_program_name(identifier: int) -> str:
    """Read the name of a program that is loaded. Raises OSError, ENOENT once it is gone."""
    program = _bpf(_PROG_BY_ID, struct.pack("=I", identifier))
    try:
        info = ctypes.create_string_buffer(_INFO_SIZE)
        _bpf(_INFO_BY_FD, struct.pack("=IIQ", program, _INFO_SIZE, ctypes.addressof(info)))
    finally:
        os.close(program)
    return info.raw[64:80].split(b"\0")[0].decode(errors="replace")  # bpf_prog_info.name


def maps() -> set[int]:
    """Return the ids of all maps in the kernel. Raises OSError."""
    return _ids(_MAP_NEXT_ID)


def _ids(command: int) -> set[int]:
    found: set[int] = set()
    buffer = ctypes.create_string_buffer(_ATTR_SIZE)
    try:
        while True:
            _call(command, buffer, 12)
            found.add(identifier := struct.unpack_from("=I", buffer, 4)[0])
            struct.pack_into("=II", buffer, 0, identifier, 0)
    except OSError as error:
        if error.errno != errno.ENOENT:  # ENOENT: that was the last one
            raise
    return found
