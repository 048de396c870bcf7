"""Spellings and values of architectures, against the kernel's header and libseccomp."""

import ctypes
import re
from pathlib import Path

import pytest

from seclatch.model.arch import X32_BIT, Arch


def test_every_spelling_is_parsed_back() -> None:
    for arch in Arch:
        assert Arch.parse(arch.scmp) is arch
        assert Arch.parse(arch.title) is arch
        assert Arch.from_scmp(arch.scmp) is arch
        if arch is not Arch.X32:
            assert Arch.parse(arch.audit_name) is arch
            assert Arch.from_audit(arch.audit) is arch
            assert Arch.parse(str(arch.audit)) is arch
            assert Arch.parse(hex(arch.audit)) is arch
            assert Arch.parse(arch.elf_name).elf_machine == arch.elf_machine
        for name in (arch.goarch, *arch.value.uname):
            assert not name or name in Arch.parse(name).value.uname or arch is Arch.parse(name)


@pytest.mark.parametrize(
    ("spelling", "arch"),
    [
        ("amd64", Arch.X86_64),
        ("arm64", Arch.AARCH64),
        ("386", Arch.X86),
        ("i686", Arch.X86),
        ("armv7l", Arch.ARM),
        ("loong64", Arch.LOONGARCH64),
        ("AUDIT_ARCH_X86_64", Arch.X86_64),
        ("EM_386", Arch.X86),
        ("em_x86_64", Arch.X86_64),
        ("EM_RISCV", Arch.RISCV64),
        ("EM_LOONGARCH", Arch.LOONGARCH64),
        ("EM_PPC64", Arch.PPC64),
        ("62", Arch.X86_64),
        ("183", Arch.AARCH64),
        ("0xc000003e", Arch.X86_64),
        ("0xC00000B7", Arch.AARCH64),
    ],
)
def test_names_of_go_elf_and_uname(spelling: str, arch: Arch) -> None:
    assert Arch.parse(spelling) is arch


@pytest.mark.parametrize("name", ["", "SCMP_ARCH_", "x86_64", "SCMP_ARCH_NATIVE", "scmp_arch_x86"])
def test_runtimes_accept_the_exact_name_only(name: str) -> None:
    with pytest.raises(ValueError, match="unknown architecture"):
        Arch.from_scmp(name)


def test_x32_is_recognised_by_the_number() -> None:
    assert Arch.X32.audit == Arch.X86_64.audit
    assert Arch.from_audit(Arch.X86_64.audit, X32_BIT | 1) is Arch.X32
    assert Arch.from_audit(Arch.X86_64.audit, 0xFFFFFFFF) is Arch.X86_64


def test_tokens_are_libseccomps() -> None:
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_arch_resolve_name.restype = ctypes.c_uint32
    for arch in Arch:
        assert library.seccomp_arch_resolve_name(arch.title.encode()) == arch.token, arch


def test_audit_values_are_the_kernels() -> None:
    header = Path("/usr/include/linux/audit.h").read_text()
    machines = dict(
        re.findall(r"#define (EM_\w+)\s+(\w+)", Path("/usr/include/linux/elf-em.h").read_text())
    )
    marks = {
        "__AUDIT_ARCH_64BIT": 0x80000000,
        "__AUDIT_ARCH_LE": 0x40000000,
        "__AUDIT_ARCH_CONVENTION_MIPS64_N32": 0x20000000,
    }
    defined = {}
    for name, terms in re.findall(r"#define (AUDIT_ARCH_\w+)\s+\(([^)]*)\)", header):
        words = terms.replace("\\", "").split("|")
        values = [marks.get(word.strip(), machines.get(word.strip())) for word in words]
        defined[name] = sum(int(str(value), 0) for value in values)
    for arch in Arch:
        assert defined[arch.audit_name] == arch.audit, arch
        assert int(machines[arch.elf_name]) == arch.elf_machine


@pytest.mark.parametrize(
    "spelling", ["", " ", "x86-64", "EM_NONE", "0", "-1", "9" * 5000, "\udcff"]
)
def test_unknown_architectures_are_refused(spelling: str) -> None:
    with pytest.raises(ValueError, match="unknown architecture"):
        Arch.parse(spelling)


def test_native_serves_its_compat_abis() -> None:
    native = Arch.native()
    assert native in (Arch.X86_64, Arch.AARCH64)
    assert all(other.audit != native.audit or other is Arch.X32 for other in native.compat)
