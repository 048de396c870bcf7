"""Write src/seclatch/data: numbers and names of every ABI's system calls, and of errno.

Two sources, both installed from the distribution, read through their public interfaces:

- libseccomp, queried number by number with seccomp_syscall_resolve_num_arch(3). Its names are the
  ones that profiles use and that runtimes can compile.
- the kernel's own <asm/unistd*.h> (Debian: linux-libc-dev, which carries every architecture under
  /usr/lib/linux/uapi), for calls that are newer than this libseccomp. They are kept apart, since
  a runtime built with this libseccomp ignores them.

Usage: PYTHONPATH=src python tools/syscall_tables.py [--check]
`--check` writes nothing and fails if a file differs.
"""

from __future__ import annotations

import ctypes
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from seclatch.model.arch import Arch

DATA = Path(__file__).resolve().parent.parent / "src/seclatch/data"
UAPI = Path("/usr/lib/linux/uapi")
LAST = 1024  # no ABI has a higher number, except arm's private ones
ARM_PRIVATE = range(0xF0000, 0xF0010)
HEADERS = {
    Arch.X86: "x86/asm/unistd_32.h",
    Arch.X86_64: "x86/asm/unistd_64.h",
    Arch.X32: "x86/asm/unistd_x32.h",
    Arch.ARM: "arm/asm/unistd-eabi.h",
    Arch.AARCH64: "arm64/asm/unistd_64.h",
    Arch.LOONGARCH64: "loongarch/asm/unistd_64.h",
    Arch.M68K: "m68k/asm/unistd_32.h",
    Arch.MIPS: "mips/asm/unistd_o32.h",
    Arch.MIPSEL: "mips/asm/unistd_o32.h",
    Arch.MIPS64: "mips/asm/unistd_n64.h",
    Arch.MIPSEL64: "mips/asm/unistd_n64.h",
    Arch.MIPS64N32: "mips/asm/unistd_n32.h",
    Arch.MIPSEL64N32: "mips/asm/unistd_n32.h",
    Arch.PARISC: "parisc/asm/unistd_32.h",
    Arch.PARISC64: "parisc/asm/unistd_64.h",
    Arch.PPC: "powerpc/asm/unistd_32.h",
    Arch.PPC64: "powerpc/asm/unistd_64.h",
    Arch.PPC64LE: "powerpc/asm/unistd_64.h",
    Arch.RISCV64: "riscv/asm/unistd_64.h",
    Arch.S390: "s390/asm/unistd_32.h",
    Arch.S390X: "s390/asm/unistd_64.h",
    Arch.SHEB: "sh/asm/unistd_32.h",
    Arch.SH: "sh/asm/unistd_32.h",
}
DEFINE = re.compile(r"^#define\s+__NR_(\w+)\s+\(?(?:__\w+\s*\+\s*)?(\d+|0x[0-9a-f]+)\)?\s*$", re.M)
# Counts of calls, and MIPS's holes in the table.
NOT_CALLS = re.compile(r"syscalls|(\w+_)?Linux|OABI_SYSCALL_BASE|unused\d+|reserved\d+")


def libseccomp() -> ctypes.CDLL:
    """Load the library and declare the argument types of its functions."""
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_syscall_resolve_num_arch.restype = ctypes.c_void_p
    library.seccomp_syscall_resolve_num_arch.argtypes = [ctypes.c_uint32, ctypes.c_int]
    library.seccomp_syscall_resolve_name_arch.argtypes = [ctypes.c_uint32, ctypes.c_char_p]
    return library


def names(library: ctypes.CDLL, arch: Arch) -> Iterator[tuple[str, int]]:
    """Yield every (name, number) that libseccomp knows on `arch`."""
    free = ctypes.CDLL(None).free
    free.argtypes = [ctypes.c_void_p]
    numbers = [*range(arch.offset, arch.offset + LAST), *(ARM_PRIVATE if arch is Arch.ARM else ())]
    for number in numbers:
        text = library.seccomp_syscall_resolve_num_arch(arch.token, number)
        if text:
            yield ctypes.cast(text, ctypes.c_char_p).value.decode(), number  # type: ignore[union-attr]
            free(text)


def defined(arch: Arch) -> dict[str, int]:
    """Yield every (name, number) of the kernel's header, without x32's and MIPS's offset."""
    text = (UAPI / HEADERS[arch]).read_text()
    return {
        name: arch.offset + int(number, 0)
        for name, number in DEFINE.findall(text)
        if not NOT_CALLS.fullmatch(name)
    }


def multiplexed(
    library: ctypes.CDLL, arch: Arch, known: set[str], own: dict[str, int]
) -> dict[str, list[str | int]]:
    """Return the calls that on `arch` can (also) be issued by socketcall or ipc.

    Their number is the first argument then. libseccomp answers -100-N for call N of socketcall and
    -200-N for call N of ipc; a rule for such a name covers both ways in.
    """
    found: dict[str, list[str | int]] = {}
    for name in sorted(known):
        number = library.seccomp_syscall_resolve_name_arch(arch.token, name.encode())
        if -300 < number < -100:
            through = "socketcall" if number > -200 else "ipc"
            if through in own:
                found[name] = [through, -number % 100]
    return found


def version(package: str) -> str:
    """Return the upstream version of a Debian package: without epoch and revision."""
    show = ["dpkg-query", "-W", "-f", "${Version}", package]
    full = subprocess.run(show, check=True, capture_output=True, text=True).stdout
    return full.split(":")[-1].rsplit("-", 1)[0]


def errnos() -> dict[str, int]:
    """Return every errno of <asm-generic/errno.h>, an alias (EWOULDBLOCK) after its target."""
    headers = ("errno-base.h", "errno.h")
    text = "".join(Path("/usr/include/asm-generic", header).read_text() for header in headers)
    found: dict[str, int] = {}
    for name, value in re.findall(r"^#define\s+(E\w+)\s+(\w+)", text, re.M):
        found[name] = int(value) if value.isdigit() else found[value]
    return found


def tables() -> Iterator[tuple[Path, str]]:
    """Return each file with its contents."""
    library = libseccomp()
    # The series alone: its stable releases add no calls.
    series = ".".join(version("linux-libc-dev").split(".")[:2])
    source = {"libseccomp": version("libseccomp2"), "linux": series}
    by_arch = {arch: dict(names(library, arch)) for arch in Arch}
    known = {name for table in by_arch.values() for name in table}
    yield DATA / "errno.json", json.dumps(errnos(), indent=1) + "\n"
    for arch, table in by_arch.items():
        newer = {name: number for name, number in defined(arch).items() if name not in table}
        whole = {
            "source": source,
            "arch": arch.scmp,
            "syscalls": dict(sorted(table.items(), key=lambda item: item[1])),
            "kernel_only": dict(sorted(newer.items(), key=lambda item: item[1])),
            "multiplexed": multiplexed(library, arch, known, table),
        }
        yield DATA / "syscalls" / f"{arch.title}.json", json.dumps(whole, indent=1) + "\n"


def main() -> int:
    """Write the files, or with --check name outdated ones."""
    check = "--check" in sys.argv[1:]
    stale = 0
    for path, text in tables():
        if check:
            if not path.exists() or path.read_text() != text:
                stale = 1
                print(f"stale: {path.name}", file=sys.stderr)
        else:
            path.write_text(text)
    return stale


if __name__ == "__main__":
    sys.exit(main())
