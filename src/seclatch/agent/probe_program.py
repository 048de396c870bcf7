"""The program of a probe container: it reports whether its own filter, and no other, is on.

An ELF file of one segment, since a host need not have any program that could be put in an image. It
calls getppid(2), for which the probe's profile has an error number that nothing else returns.
"""

from __future__ import annotations

import struct
from typing import Any

from seclatch.errors import SeclatchError

LATCHED = 42
"""The exit status under exactly the probe's filter; 1 under another or none."""

_ERRNO = 77  # EBADFD, which getppid(2) never returns
_BASE = 0x400000
_X86 = bytes.fromhex(
    "b86e000000"  # mov eax, 110 (getppid)
    "0f05"  # syscall
    "bf01000000"  # mov edi, 1
    "83f8b3"  # cmp eax, -77
    "7505"  # jne +5
    "bf2a000000"  # mov edi, 42
    "b8e7000000"  # mov eax, 231 (exit_group)
    "0f05"  # syscall
)
_A64 = struct.pack(
    "<8I",
    0xD28015A8,  # mov x8, #173 (getppid)
    0xD4000001,  # svc #0
    0xB101341F,  # cmn x0, #77
    0xD2800020,  # mov x0, #1
    0x54000041,  # b.ne +2
    0xD2800540,  # mov x0, #42
    0xD2800BC8,  # mov x8, #94 (exit_group)
    0xD4000001,  # svc #0
)
_CODE = {"x86_64": (62, _X86, "amd64"), "aarch64": (183, _A64, "arm64")}


def make_probe_program(machine: str) -> bytes:
    """Return the program for a machine (uname(2)). Raises SeclatchError for one without."""
    number, code, _ = _find(machine)
    header, entry = 64 + 56, _BASE + 64 + 56
    size = header + len(code)
    ident = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    elf = struct.pack("<16sHHIQQQIHHHHHH", ident, 2, number, 1, entry, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    return elf + struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x10000) + code


def name_image_architecture(machine: str) -> str:
    """Return the machine's name in an image."""
    return _find(machine)[2]


def _find(machine: str) -> tuple[int, bytes, str]:
    if machine not in _CODE:
        raise SeclatchError(
            f"starting a probe container: there is no probe for {machine}",
            remedy="x86-64 and arm64 have one; without a probe a node gets no label",
        )
    return _CODE[machine]


def make_probe_profile() -> dict[str, Any]:
    """Return the probe's profile: one call allowed, so that no runtime could start under it."""
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": _ERRNO,
        "syscalls": [
            # openat2: runc answers ENOSYS for numbers above the highest that is named
            {"names": ["exit_group", "openat2"], "action": "SCMP_ACT_ALLOW"},
        ],
    }
