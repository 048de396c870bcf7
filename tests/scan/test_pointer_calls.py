"""Pointers to syscall(2) that code keeps in registers, as Rust's programs do: followed, or open."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from seclatch.model.scan import ScannedProgram
from seclatch.scan.image.rootfs_reader import Rootfs
from seclatch.scan.image.scan_target import ScanTarget
from seclatch.scan.reach.scan_program import scan_program
from seclatch.scan.summary.summary_cache import SummaryCache
from tests.debian.server import unpacked
from tests.scan import traced

# In a function that keeps %rbx and %r15, with 64 bytes of stack; acct(2) is 163.
LOAD = "mov syscall@GOTPCREL(%rip), %r15"
CALL = "mov $163, %edi; xor %esi, %esi; xor %eax, %eax; call *%r15"
TABLE = (
    "lea 8f(%rip), %rbx; movslq (%rbx), %rax; add %rbx, %rax; jmp *%rax;"
    ".pushsection .rodata; .p2align 2; 8: .long 1f-8b, {}-8b; .popsection; 1:"
)
BY_TABLE, BY_TABLE_TO_PART = TABLE.format("1f"), TABLE.format("part")
BESIDE_TABLE = f"test %edi, %edi; jnz 2f; {BY_TABLE} xor %edi, %edi; jmp 3f; 2:"
RESTORE = "add $64, %rsp; pop %r15; pop %rbx"
FOLLOWED = {
    "a loop": f"{LOAD}; mov $2, %ebx; 1: {CALL}; dec %ebx; jnz 1b",
    "two registers": f"{LOAD}; mov %r15, %r8; mov $163, %edi; call *%r8; {CALL}",
    "a spill": f"{LOAD}; mov %r15, 8(%rsp); xor %r15d, %r15d; mov $163, %edi; call *8(%rsp)",
    "a spill that is loaded": f"{LOAD}; mov %r15, 8(%rsp); call other; mov 8(%rsp), %r15; {CALL}",
    "a push": f"{LOAD}; push %r15; push %r15; mov $0, %r15d; pop %rbx; pop %r15; {CALL}",
    "a condition": f"mov other@GOTPCREL(%rip), %r15; test %edi, %edi; cmovne"
    f" syscall@GOTPCREL(%rip), %r15; {CALL}",
    "a tail call": f"{LOAD}; mov %r15, %rax; {RESTORE}; mov $163, %edi; jmp *%rax",
    "another tail call beside a table": f"{BESIDE_TABLE} {LOAD}; {CALL}; {RESTORE};"
    " jmp *other@GOTPCREL(%rip); 3:",
    "a variable above": f"lea 32(%rsp), %rdi; {LOAD}; mov %r15, 8(%rsp); call other;"
    " mov $163, %edi; call *8(%rsp)",
    "a trap": f"{LOAD}; test %r15, %r15; jnz 1f; ud2; 1: {CALL}",
    "tables apart": f"{LOAD}; lea 8f(%rip), %rbx; movslq (%rbx), %rax; add %rbx, %rax; jmp *%rax;"
    f" 1: {CALL}; jmp 3f; 2: mov other@GOTPCREL(%rip), %r15; lea 9f(%rip), %rbx;"
    " movslq 4(%rbx), %rax; add %rbx, %rax; jmp *%rax; 4: mov %eax, %edi; call *%r15; 3:",
}
OPEN = {
    "an unknown number": f"mov %edi, %ebx; {LOAD}; call other; mov (%rax), %edi; call *%r15",
    "memory": f"{LOAD}; mov %r15, kept(%rip)",
    "an argument": "mov syscall@GOTPCREL(%rip), %rdi; call other",
    "an argument on the stack": f"{LOAD}; mov %r15, (%rsp); call other",
    "a result": "mov syscall@GOTPCREL(%rip), %rax",
    "a structure": f"{LOAD}; mov %r15, 8(%rsp); lea (%rsp), %rdi; call other; call *8(%rsp)",
    "an array": f"{LOAD}; mov %r15, 8(%rsp); mov (%rsp,%rbx,8), %rdi; mov $163, %edi;"
    " call *8(%rsp)",
    "an argument of a tail call beside a table": f"{BESIDE_TABLE} call other;"
    f" mov syscall@GOTPCREL(%rip), %rdi; {RESTORE}; jmp *0x18(%rax); 3:",
    "an argument of an import's tail call": f"{BESIDE_TABLE} mov syscall@GOTPCREL(%rip), %rdi;"
    f" {RESTORE}; jmp *other@GOTPCREL(%rip); 3:",
    "another part by a table": f"{LOAD}; {BY_TABLE_TO_PART} {CALL}",
    "a vector": f"{LOAD}; movq %r15, %xmm0; movq %xmm0, kept(%rip)",
    "a copy of the frame": f"{LOAD}; mov %r15, 8(%rsp); movups (%rsp), %xmm0; call *8(%rsp)",
    "an exchange": f"{LOAD}; xchg %r15, kept(%rip)",
    "another part": f"{LOAD}; jmp part",
    "the next function": f"{LOAD}; .cfi_endproc; .type next, @function; next: .cfi_startproc;"
    f" {CALL}",
    "arithmetic": f"{LOAD}; sub $8, %r15; add $8, %r15; {CALL}",
}
PROGRAM = """
.globl main
.type main, @function
main: .cfi_startproc
push %rbx
push %r15
sub $64, %rsp
{code}
add $64, %rsp
pop %r15
pop %rbx
ret
.cfi_endproc
.size main, .-main
.type part, @function
part: .cfi_startproc
mov $163, %edi
call *%r15
ud2
.cfi_endproc
.size part, .-part
.globl other
.type other, @function
other: .cfi_startproc
lea kept(%rip), %rax
ret
.cfi_endproc
.size other, .-other
.section .rodata
.p2align 2
8: .long 1b-8b, 3b-8b
9: .long 3b-9b, 4b-9b
.data
kept: .quad 0
.section .note.GNU-stack,"",@progbits
"""


def scan(path: Path, cache: SummaryCache, root: Path = Path("/")) -> ScannedProgram:
    rootfs = Rootfs(root)
    try:
        return scan_program(rootfs, cache, ScanTarget(str(path), "built here"))
    finally:
        rootfs.close()


def build(code: str, directory: Path, how: str) -> Path:
    text = PROGRAM.replace("{code}", code)
    if "9f(%rip)" not in code:
        text = text.replace("8: .long 1b-8b, 3b-8b\n9: .long 3b-9b, 4b-9b\n", "")
    source = directory / "p.s"
    source.write_text(text)
    # Linkers replace a load from the table by the address where they can.
    words = ["gcc", "-Wl,--no-relax", how, "-o", directory / "p", source]
    subprocess.run(words, check=True, timeout=60)
    return directory / "p"


SHARED, STATIC = "-pie", "-static-pie"


@pytest.mark.parametrize(
    ("case", "how"), [*((case, SHARED) for case in FOLLOWED), ("a loop", STATIC)]
)
def test_followed_to_the_calls(case: str, how: str, cache: SummaryCache, tmp_path: Path) -> None:
    found = scan(build(FOLLOWED[case], tmp_path, how), cache)
    assert "acct" in {call.name for call in found.calls}
    assert not found.open


@pytest.mark.parametrize(("case", "how"), [*((case, SHARED) for case in OPEN), ("memory", STATIC)])
def test_open_where_the_pointer_or_the_number_is_lost(
    case: str, how: str, cache: SummaryCache, tmp_path: Path
) -> None:
    assert scan(build(OPEN[case], tmp_path, how), cache).open


@pytest.mark.root
def test_a_rust_program_is_whole(cache: SummaryCache, tmp_path: Path) -> None:
    """Debian's fd searches in threads, whose locks call futex(2) by such a pointer."""
    fd = "/usr/lib/cargo/bin/fd"
    with unpacked(("fd-find",)) as root:
        found = scan(Path(fd), cache, root)
        seen = traced.trace(["chroot", str(root), fd, "e", "/etc"], tmp_path / "log")
    assert not found.open
    assert seen[fd] <= {call.name for call in found.calls}
