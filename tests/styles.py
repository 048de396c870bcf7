"""Filters in the styles of sandboxes that generate BPF without libseccomp.

Written from the descriptions of what those compilers emit: Chromium's bpf_dsl makes a binary search
over ranges of numbers, with each 64-bit argument tested in halves; minijail makes a chain of
equality tests and a block of comparisons for each call with a condition.
"""

from __future__ import annotations

from collections.abc import Sequence

from seclatch.filter.classic_bpf import opcode as op
from seclatch.model.action import ActionKind
from seclatch.model.arch import Arch
from seclatch.model.filter import Filter, Instruction
from seclatch.model.syscall import load_syscalls

ALLOW = ActionKind.ALLOW.value
KILL = ActionKind.KILL_PROCESS.value


class Assembler:
    """An assembler with labels for jumps; "" is the next instruction."""

    def __init__(self) -> None:
        self.code: list[tuple[int, int, str, str]] = []
        self.labels: dict[str, int] = {}
        self.fresh = 0

    def label(self, name: str = "") -> str:
        self.fresh += 1
        return name or f"L{self.fresh}"

    def here(self, name: str) -> None:
        self.labels[name] = len(self.code)

    def load(self, offset: int) -> None:
        self.code.append((op.LD | op.ABS, offset, "", ""))

    def both(self, mask: int) -> None:
        self.code.append((op.ALU | op.AND, mask, "", ""))

    def jump(self, operation: int, k: int, yes: str = "", no: str = "") -> None:
        self.code.append((op.JMP | operation, k, yes, no))

    def goto(self, target: str) -> None:
        self.code.append((op.JMP | op.JA, 0, target, ""))

    def ret(self, value: int) -> None:
        self.code.append((op.RET_K, value, "", ""))

    def program(self) -> Filter:
        done = []
        for index, (code, k, yes, no) in enumerate(self.code):
            hops = [self.labels[name] - index - 1 if name else 0 for name in (yes, no)]
            if code == op.JMP | op.JA:
                done.append(Instruction(code, 0, 0, hops[0]))
            else:
                assert all(0 <= hop < 256 for hop in hops)
                done.append(Instruction(code, *hops, k))
        return Filter(tuple(done))


def low(index: int) -> int:
    return 16 + 8 * index


def high(index: int) -> int:
    return low(index) + 4


NUMBERS = load_syscalls(Arch.X86_64).numbers


def chromium_style() -> Filter:
    """Assemble ranges of numbers in a search tree; traps carry a number for the handler."""
    asm = Assembler()
    asm.load(4)
    asm.jump(op.JEQ, Arch.X86_64.audit, "ours")
    asm.ret(KILL)
    asm.here("ours")
    asm.load(0)
    asm.jump(op.JSET, 0x40000000, "x32", "numbers")
    asm.here("x32")
    asm.ret(KILL)
    asm.here("numbers")
    leaves: dict[int, str] = {}
    for name in (
        "read",
        "write",
        "close",
        "fstat",
        "mmap",
        "munmap",
        "brk",
        "getpid",
        "exit_group",
    ):
        leaves[NUMBERS[name]] = "allow"
    leaves |= {NUMBERS["open"]: "trap", NUMBERS["openat"]: "trap", NUMBERS["kill"]: "kill_own"}
    leaves |= {NUMBERS["clone"]: "clone", NUMBERS["madvise"]: "madvise"}
    ranges = [(0, leaves.get(0, "eperm"))]
    for number in range(1, 512):
        if leaves.get(number, "eperm") != ranges[-1][1]:
            ranges.append((number, leaves.get(number, "eperm")))
    _search(asm, ranges)
    _chromium_leaves(asm)
    return asm.program()


def _search(asm: Assembler, ranges: Sequence[tuple[int, str]]) -> None:
    if len(ranges) == 1:
        asm.goto(ranges[0][1])
        return
    middle = len(ranges) // 2
    right = asm.label()
    asm.jump(op.JGE, ranges[middle][0], right)
    _search(asm, ranges[:middle])
    asm.here(right)
    _search(asm, ranges[middle:])


def _chromium_leaves(asm: Assembler) -> None:
    asm.here("kill_own")  # kill(pid 1000, …), an int: its upper half is 0, or all ones if negative
    asm.load(high(0))
    asm.jump(op.JEQ, 0, "kill_low")
    asm.jump(op.JEQ, 0xFFFFFFFF, "", "bad_argument")
    asm.load(low(0))
    asm.jump(op.JSET, 0x80000000, "", "bad_argument")
    asm.here("kill_low")
    asm.load(low(0))
    asm.jump(op.JEQ, 1000, "allow", "eperm")
    asm.here("clone")  # clone with exactly the flags of a thread, or none that make namespaces
    asm.load(high(0))
    asm.jump(op.JEQ, 0, "", "bad_argument")
    asm.load(low(0))
    asm.jump(op.JEQ, 0x3D0F00, "allow")
    asm.both(0x7E020000)
    asm.jump(op.JEQ, 0, "allow", "eperm")
    asm.here("madvise")
    asm.load(low(2))
    for advice in (0, 4, 8, 14):
        asm.jump(op.JEQ, advice, "allow")
    asm.here("eperm")
    asm.ret(ActionKind.ERRNO.value | 1)
    asm.here("trap")
    asm.ret(ActionKind.TRAP.value | 7)
    asm.here("bad_argument")
    asm.ret(ActionKind.TRAP.value | 3)
    asm.here("allow")
    asm.ret(ALLOW)


def minijail_style() -> Filter:
    """Assemble a chain of equality tests with argument conditions.

    read: 1; ioctl: arg1 == 0x5401 || arg1 & 0x80; prctl: arg0 == 15; mmap: arg2 in ~PROT_EXEC;
    lseek: arg1 < 2**33 && arg2 != 2; socket: return 97; everything else is killed.
    """
    asm = Assembler()
    asm.load(4)
    asm.jump(op.JEQ, Arch.X86_64.audit, "ours")
    asm.ret(0)
    asm.here("ours")
    asm.load(0)
    for name in ("read", "write", "exit", "exit_group", "rt_sigreturn"):
        after = asm.label()
        asm.jump(op.JEQ, NUMBERS[name], "", after)
        asm.ret(ALLOW)
        asm.here(after)
    for name in ("ioctl", "prctl", "mmap", "lseek", "socket"):
        asm.jump(op.JEQ, NUMBERS[name], name)
    asm.here("kill")
    asm.ret(0)
    _equal(asm, "ioctl", 1, 0x5401, "allow", "ioctl_bits")
    asm.here("ioctl_bits")
    asm.load(low(1))
    asm.jump(op.JSET, 0x80, "allow", "kill_late")
    _equal(asm, "prctl", 0, 15, "allow", "kill_late")
    asm.here("mmap")
    asm.load(high(2))
    asm.jump(op.JSET, 0, "kill_late")
    asm.load(low(2))
    asm.jump(op.JSET, 4, "kill_late", "allow")
    asm.here("lseek")
    asm.load(high(1))
    asm.jump(op.JGE, 2, "kill_late")
    _equal(asm, "lseek_whence", 2, 2, "kill_late", "allow")
    asm.here("socket")
    asm.ret(ActionKind.ERRNO.value | 97)
    asm.here("kill_late")
    asm.ret(0)
    asm.here("allow")
    asm.ret(ALLOW)
    return asm.program()


def _equal(asm: Assembler, name: str, index: int, value: int, yes: str, no: str) -> None:
    asm.here(name)
    asm.load(high(index))
    asm.jump(op.JEQ, value >> 32, "", no)
    asm.load(low(index))
    asm.jump(op.JEQ, value & 0xFFFFFFFF, yes, no)
