"""Names of system calls by the ABI and number that the kernel counted."""

from __future__ import annotations

from seclatch.model.arch import Arch
from seclatch.model.syscall import Syscall, load_syscalls

# The ABI of 32-bit programs: int 0x80 on x86-64, AArch32 on arm64.
_COMPAT = {Arch.X86_64: Arch.X86, Arch.AARCH64: Arch.ARM}


class SyscallNames:
    """Looks up each call once: recordings hold some calls in very many rows."""

    def __init__(self) -> None:
        self._native = Arch.native()
        self._named: dict[tuple[bool, int], tuple[str, int, str]] = {}

    def find_syscall(self, compat: bool, number: int) -> Syscall:
        """Return the call of an ABI and number."""
        return name_call(self._native, compat, number)

    def find_row(self, compat: bool, number: int) -> tuple[str, int, str]:
        """Return a call as the recording has it: ABI, number, name."""
        found = self._named.get((compat, number))
        if found is None:
            call = self.find_syscall(compat, number)
            found = self._named[compat, number] = (call.arch.title, call.number, call.name)
        return found


def name_call(native: Arch, compat: bool, number: int) -> Syscall:
    """Return the call of a number as the kernel counted it; x32 calls have a bit set."""
    arch = _COMPAT[native] if compat else native
    if arch is Arch.X86_64 and number & Arch.X32.offset and not number >> 31:
        arch = Arch.X32
    return load_syscalls(arch).at(number)
