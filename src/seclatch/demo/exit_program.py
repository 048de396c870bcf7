"""Write a static ELF program that only calls exit_group(42), without a compiler."""

from __future__ import annotations

import os
import struct
from pathlib import Path

from seclatch.errors import SeclatchError

EXIT_STATUS = 42

# mov eax, 231 (exit_group); mov edi, 42; syscall      and      mov x8, 94; mov x0, 42; svc 0
_CODE = {
    "x86_64": (62, "b8e7000000bf2a0000000f05"),
    "aarch64": (183, "c80b80d2400580d2010000d4"),
}
_ADDRESS = 0x400000
_HEADER, _SEGMENT = 64, 56  # bytes, elf(5)


def make_exit_program(machine: str) -> bytes:
    """Return the file's content for a machine as uname(2) names it. Raises SeclatchError."""
    if machine not in _CODE:
        raise SeclatchError(f"no example program for {machine}", remedy="use x86_64 or aarch64")
    number, code = _CODE[machine]
    size = _HEADER + _SEGMENT + len(code) // 2
    header = struct.pack(
        "<16sHHIQQQIHHHHHH",
        b"\x7fELF\x02\x01\x01",  # 64-bit, little-endian, version 1
        2,  # ET_EXEC
        number,
        1,
        _ADDRESS + _HEADER + _SEGMENT,
        _HEADER,
        0,
        0,
        _HEADER,
        _SEGMENT,
        1,
        0,
        0,
        0,
    )
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _ADDRESS, _ADDRESS, size, size, 0x1000)
    return header + segment + bytes.fromhex(code)


def write_exit_program(path: Path) -> None:
    """Write it for this machine, executable. Raises SeclatchError, OSError."""
    path.write_bytes(make_exit_program(os.uname().machine))
    path.chmod(0o755)
