"""Architectures (more exactly: system call ABIs) and all their names."""

from __future__ import annotations

import enum
import os
import sys
from dataclasses import dataclass

from seclatch.model.quoted_text import quote_text

# <linux/audit.h>: AUDIT_ARCH_* = ELF machine, plus these marks.
_64BIT = 0x80000000
_LITTLE = 0x40000000
_N32 = 0x20000000

X32_BIT = 0x40000000
"""__X32_SYSCALL_BIT: set in the number of every x32 call, whose `arch` is that of x86-64."""


@dataclass(frozen=True, slots=True)
class Abi:
    """One ABI.

    `machine` is the ELF e_machine, `bits` the width of a system call argument. `offset` is what x32
    and MIPS add to each number.
    """

    name: str
    machine: int
    bits: int
    little: bool
    goarch: str = ""
    uname: tuple[str, ...] = ()
    audit_name: str = ""
    n32: bool = False
    offset: int = 0


class Arch(enum.Enum):
    """An ABI known to libseccomp 2.6. `arch.name` is the part after `SCMP_ARCH_`."""

    X86 = Abi("x86", 3, 32, True, "386", ("i386", "i486", "i586", "i686"), "AUDIT_ARCH_I386")
    X86_64 = Abi("x86_64", 62, 64, True, "amd64", ("x86_64", "amd64"))
    # ILP32, but its arguments travel in 64-bit registers: libseccomp compares 32 bits of them.
    X32 = Abi("x32", 62, 32, True, "amd64p32", (), "AUDIT_ARCH_X86_64", offset=X32_BIT)
    ARM = Abi("arm", 40, 32, True, "arm", ("armv5tel", "armv6l", "armv7l", "armv8l"))
    AARCH64 = Abi("aarch64", 183, 64, True, "arm64", ("aarch64", "arm64"))
    LOONGARCH64 = Abi("loongarch64", 258, 64, True, "loong64", ("loongarch64",))
    M68K = Abi("m68k", 4, 32, False, "", ("m68k",))
    MIPS = Abi("mips", 8, 32, False, "mips", ("mips",), offset=4000)
    MIPSEL = Abi("mipsel", 8, 32, True, "mipsle", ("mips",), offset=4000)
    MIPS64 = Abi("mips64", 8, 64, False, "mips64", ("mips64",), offset=5000)
    MIPSEL64 = Abi("mipsel64", 8, 64, True, "mips64le", ("mips64",), offset=5000)
    MIPS64N32 = Abi("mips64n32", 8, 32, False, "mips64p32", (), n32=True, offset=6000)
    MIPSEL64N32 = Abi("mipsel64n32", 8, 32, True, "mips64p32le", (), n32=True, offset=6000)
    PARISC = Abi("parisc", 15, 32, False, "", ("parisc",))
    PARISC64 = Abi("parisc64", 15, 64, False, "", ("parisc64",))
    PPC = Abi("ppc", 20, 32, False, "ppc", ("ppc",))
    PPC64 = Abi("ppc64", 21, 64, False, "ppc64", ("ppc64",))
    PPC64LE = Abi("ppc64le", 21, 64, True, "ppc64le", ("ppc64le",))
    RISCV64 = Abi("riscv64", 243, 64, True, "riscv64", ("riscv64",))
    S390 = Abi("s390", 22, 32, False, "s390", ("s390",))
    S390X = Abi("s390x", 22, 64, False, "s390x", ("s390x",))
    SHEB = Abi("sheb", 42, 32, False, "", ("sh4eb", "sh4aeb"), "AUDIT_ARCH_SH")
    SH = Abi("sh", 42, 32, True, "", ("sh4", "sh4a"), "AUDIT_ARCH_SHEL")

    @property
    def scmp(self) -> str:
        """Return the name in profiles: `SCMP_ARCH_X86_64`."""
        return f"SCMP_ARCH_{self.name}"

    @property
    def title(self) -> str:
        """Return libseccomp's short name, as scmp_sys_resolver takes it: `x86_64`."""
        return self.value.name

    @property
    def bits(self) -> int:
        """Return the width of an argument as libseccomp compares it: 32 or 64."""
        return self.value.bits

    @property
    def little(self) -> bool:
        """Return whether it is little endian."""
        return self.value.little

    @property
    def byteorder(self) -> str:
        """Return `little` or `big`, for int.from_bytes and struct."""
        return "little" if self.value.little else "big"

    @property
    def elf_machine(self) -> int:
        """Return e_machine of a program of this ABI (<linux/elf-em.h>)."""
        return self.value.machine

    @property
    def elf_name(self) -> str:
        """Return the name of `elf_machine`: `EM_X86_64`. Several ABIs may share it."""
        return _ELF_NAMES[self.value.machine]

    @property
    def goarch(self) -> str:
        """Return GOARCH, "" where Go has none."""
        return self.value.goarch

    @property
    def offset(self) -> int:
        """Return the number of the ABI's call 0: the x32 bit, 4000/5000/6000 on MIPS, else 0."""
        return self.value.offset

    @property
    def audit(self) -> int:
        """Return the AUDIT_ARCH_* value in seccomp_data.arch. x32 and x86-64 have the same."""
        return self.token | (_64BIT if self is Arch.X32 else 0)

    @property
    def audit_name(self) -> str:
        """Return the kernel's name of `audit`: `AUDIT_ARCH_X86_64`."""
        return self.value.audit_name or f"AUDIT_ARCH_{self.name}"

    @property
    def token(self) -> int:
        """Return libseccomp's uint32 token: the audit value; x32 has one of its own."""
        abi = self.value
        wide = abi.bits == 64 or abi.n32
        # MIPS N32: a 64-bit machine with the convention mark (<linux/audit.h>).
        return (
            abi.machine
            | (_64BIT if wide else 0)
            | (_LITTLE if abi.little else 0)
            | (_N32 if abi.n32 else 0)
        )

    @property
    def compat(self) -> tuple[Arch, ...]:
        """Return the further ABIs that a kernel of this architecture can serve."""
        return _COMPAT.get(self, ())

    @classmethod
    def parse(cls, spelling: str) -> Arch:
        """Parse any spelling of an architecture.

        SCMP_ARCH_*, AUDIT_ARCH_*, EM_*, short name, GOARCH, `uname -m`, and the number of
        AUDIT_ARCH_* or EM_* in C's notation. A name that several ABIs share means the plain one
        (`AUDIT_ARCH_X86_64` is not x32; `mips` and `EM_MIPS` are big endian). Raises ValueError for
        an unknown one.
        """
        found = _SPELLINGS.get(_plain(spelling))
        if found is None:
            raise ValueError(f"unknown architecture {quote_text(spelling)}")
        return found

    @classmethod
    def from_scmp(cls, name: str) -> Arch:
        """Parse the exact `SCMP_ARCH_*` name, the only spelling that runtimes accept."""
        arch = cls.__members__.get(name.removeprefix("SCMP_ARCH_"))
        if arch is None or not name.startswith("SCMP_ARCH_"):
            raise ValueError(f"unknown architecture {quote_text(name)}")
        return arch

    @classmethod
    def from_audit(cls, audit: int, number: int = 0) -> Arch:
        """Find an ABI by seccomp_data.arch; `number` separates x32 from x86-64.

        Raises ValueError if it is unknown.
        """
        if audit == cls.X86_64.audit and number & X32_BIT and number < 0x80000000:
            return cls.X32
        for arch in cls:
            if arch.audit == audit and arch is not cls.X32:
                return arch
        raise ValueError(f"unknown architecture {audit:#x}")

    @classmethod
    def native(cls) -> Arch:
        """Return the kernel's own architecture by uname(2). Raises ValueError if it is unknown."""
        machine = os.uname().machine
        for arch in cls:
            if machine in arch.value.uname and arch.byteorder == sys.byteorder:
                return arch
        raise ValueError(f"libseccomp knows no architecture for this machine ({machine})")


_COMPAT = {
    Arch.X86_64: (Arch.X86, Arch.X32),
    Arch.AARCH64: (Arch.ARM,),
    Arch.MIPS64: (Arch.MIPS, Arch.MIPS64N32),
    Arch.MIPSEL64: (Arch.MIPSEL, Arch.MIPSEL64N32),
    Arch.PARISC64: (Arch.PARISC,),
    Arch.PPC64: (Arch.PPC,),
    Arch.S390X: (Arch.S390,),
}


_ELF_NAMES = {
    3: "EM_386",
    4: "EM_68K",
    8: "EM_MIPS",
    15: "EM_PARISC",
    20: "EM_PPC",
    21: "EM_PPC64",
    22: "EM_S390",
    40: "EM_ARM",
    42: "EM_SH",
    62: "EM_X86_64",
    183: "EM_AARCH64",
    243: "EM_RISCV",
    258: "EM_LOONGARCH",
}


def _plain(spelling: str) -> str:
    """Return the spelling in lower case, numbers in decimal digits."""
    try:
        return str(int(spelling, 0))
    except ValueError:
        return spelling.lower()


def _spellings() -> dict[str, Arch]:
    """Map every spelling to its ABI; where several share one, the first keeps it."""
    table: dict[str, Arch] = {}
    for arch in Arch:
        for name in (arch.scmp, arch.title, arch.goarch, *arch.value.uname):
            table.setdefault(name.lower(), arch)
    shown = [arch for arch in Arch if arch is not Arch.X32]
    for arch in shown:
        table.setdefault(arch.audit_name.lower(), arch)
        table.setdefault(str(arch.audit), arch)
    for arch in shown:
        table.setdefault(arch.elf_name.lower(), arch)
        table.setdefault(str(arch.elf_machine), arch)
    del table[""]
    return table


_SPELLINGS = _spellings()
