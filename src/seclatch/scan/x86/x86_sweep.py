"""The sweep over x86-64 code: every function is decoded from its start, exactly, by iced.

Searching bytes would be quicker and is wrong: 0f 05 occurs inside of other instructions, and an
address is only one if it is an operand.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache

import iced_x86 as iced

from seclatch.scan.analysis.code_sweep import BRANCH, CALL, JUMP, CodeSweep, drop_returning
from seclatch.scan.analysis.functions import FunctionStarts
from seclatch.scan.elf.elf_file import ElfFile

_SITE, _INTERRUPT, _LEAVE = 4, 5, 6
# Comparing with a word, or with an address, does not pass the pointer on.
_NOTHING, _COMPARE = 7, 8

# Instructions that cannot end a function: the code behind them is run next.
_GOES_ON = (0, BRANCH, _SITE, _INTERRUPT, _COMPARE)

_RIP = iced.Register.RIP
_IMMEDIATE = {iced.OpKind.IMMEDIATE32, iced.OpKind.IMMEDIATE32TO64, iced.OpKind.IMMEDIATE64}
_NUMBERS = {*_IMMEDIATE, iced.OpKind.IMMEDIATE8TO64, iced.OpKind.IMMEDIATE8TO32}
_SYSENTER = iced.Mnemonic.SYSENTER
_STEPS = {iced.Mnemonic.ADD, iced.Mnemonic.SUB}
_PREFIXES = {
    "CALL_REL": CALL,
    "JMP_REL": JUMP,
    "LOOP": BRANCH,
    "XBEGIN": BRANCH,
    "SYSCALL": _SITE,
    "SYSENTER": _INTERRUPT,
    "INT_IMM8": _INTERRUPT,
    "RET": _LEAVE,
    "JMP_RM": _LEAVE,
    "UD": _LEAVE,
    "HLT": _LEAVE,
    "INT3": _LEAVE,
    "CALL_RM": _LEAVE,
    "NOPW": _NOTHING,
    "NOPD": _NOTHING,
    "NOPQ": _NOTHING,
    "NOP_RM": _NOTHING,
    "CMP_": _COMPARE,
    "TEST_": _COMPARE,
}


_CALL_BYTES = re.compile(rb"\x0f\x05|\xcd\x80")
_NATIVE_BYTE = 0x0F
_FURTHEST = 4096
"""Bytes until decoding is aligned again: mostly a few."""
_BRANCHES = {iced.FlowControl.UNCONDITIONAL_BRANCH, iced.FlowControl.CONDITIONAL_BRANCH}


@cache
def _kinds() -> tuple[list[int], frozenset[int], frozenset[int]]:
    """Map instruction codes to kinds of transfer (0: none); find codes that return, and lea's."""
    kinds = [0] * 8192
    codes = {name: code for name, code in vars(iced.Code).items() if isinstance(code, int)}
    for name, code in codes.items():
        if name[0] == "J" and "REL" in name:
            kinds[code] = BRANCH
        for prefix, kind in _PREFIXES.items():
            if name.startswith(prefix):
                kinds[code] = kind
    returns = {code for name, code in codes.items() if name.startswith(("RET", "JMP_RM"))}
    leas = {code for name, code in codes.items() if name.startswith("LEA_")}
    return kinds, frozenset(returns), frozenset(leas)


@dataclass(slots=True)
class _Body:
    """The content of one function; `last` is the kind of its last instruction (without nops)."""

    stop: int
    transfers: list[tuple[int, int, int]] = field(default_factory=list)
    references: list[tuple[int, int]] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)
    sites: list[int] = field(default_factory=list)
    foreign: list[int] = field(default_factory=list)
    last: int = 0
    target: int = 0
    returns: bool = False

    def tails(self) -> set[int]:
        """Return where its jumps lead out of it."""
        return {target for _, target, kind in self.transfers if kind != CALL}


class X86Sweeper:
    """Decodes functions, each again only if its bounds have changed."""

    def __init__(self, elf: ElfFile, found: FunctionStarts) -> None:
        self._elf = elf
        self._found = found
        self._frames = dict(found.framed)
        self._kinds, self._returns, self._leas = _kinds()
        self._bodies: dict[int, _Body] = {}

    def sweep(self, starts: list[int]) -> CodeSweep:
        """Decode every function of the file; the starts are sorted."""
        bodies: dict[int, _Body] = {}
        for low, high in self._elf.code:
            index = bisect_left(starts, low)
            while index < len(starts) and starts[index] < high:
                following = starts[index + 1] if index + 1 < len(starts) else self._elf.end
                start, stop = starts[index], min(following, high)
                body = self._bodies.get(start)
                bodies[start] = body if body and body.stop == stop else self._decode(start, stop)
                index += 1
        self._bodies = bodies
        return self._collect({high for _, high in self._elf.code})

    def _decode(self, start: int, stop: int) -> _Body:
        """Decode one function. Written for speed: a first scan spends most of its time here."""
        base, bare = self._elf.base, self._elf.position_dependent
        body, last = _Body(stop), 0
        kinds, rip = self._kinds, _RIP
        known: dict[int, int] = {}
        decoder = iced.Decoder(64, self._elf.memory[start - base : stop - base], ip=start)
        for instruction in decoder:
            kind = kinds[instruction.code]
            if not kind:
                last = 0
                if bare or instruction.memory_base == rip:
                    self._operands(instruction, body, known)
                elif known:
                    self._derive(instruction, body, known)
            elif kind <= BRANCH:
                last = kind
                known.clear()
                body.target = target = instruction.near_branch_target
                if kind == CALL or not start <= target < stop:
                    body.transfers.append((instruction.ip, target, kind))
            elif kind != _NOTHING:
                last = kind
                self._end(instruction, kind, body, known)
        body.last = last
        return body

    def _end(
        self, instruction: iced.Instruction, kind: int, body: _Body, known: dict[int, int]
    ) -> None:
        if kind == _COMPARE:
            return
        known.clear()
        if kind == _LEAVE:
            body.returns = body.returns or instruction.code in self._returns
            self._operands(instruction, body, {})
        elif kind == _SITE:
            body.sites.append(instruction.ip)
        elif instruction.mnemonic == _SYSENTER or instruction.immediate8 == 0x80:
            body.foreign.append(instruction.ip)

    def _operands(self, instruction: iced.Instruction, body: _Body, known: dict[int, int]) -> None:
        """Note the addresses that an instruction names; without relocations any number may be."""
        elf, at = self._elf, instruction.ip
        if instruction.memory_base == _RIP:
            if instruction.code in self._leas:
                body.taken.append(at)
                known[instruction.op0_register] = instruction.memory_displacement
            body.references.append((at, instruction.memory_displacement))
        elif elf.position_dependent and elf.base < instruction.memory_displacement < elf.end:
            body.references.append((at, instruction.memory_displacement))
        last = instruction.op_count - 1
        if elf.position_dependent and last >= 0 and instruction.op_kind(last) in _IMMEDIATE:
            number = instruction.immediate(last)
            if elf.base < number < elf.end:
                body.references.append((at, number))

    def _derive(self, instruction: iced.Instruction, body: _Body, known: dict[int, int]) -> None:
        """Note the addresses that are computed from another one in the same block.

        Compilers form those of a class's tables so. A register that has changed since is not
        recognised in all cases: then an address too many is noted.
        """
        register = instruction.op0_register
        if instruction.code in self._leas:
            base = known.get(instruction.memory_base)
            by = instruction.memory_displacement
            if instruction.memory_index != iced.Register.NONE:
                base = None
        elif instruction.mnemonic in _STEPS and instruction.op_kind(1) in _NUMBERS:
            base, by = known.get(register), instruction.immediate(1)
            by = -by if instruction.mnemonic == iced.Mnemonic.SUB else by
        else:
            known.pop(register, None)
            return
        if base is None:
            known.pop(register, None)
            return
        known[register] = made = (base + by) & 0xFFFFFFFFFFFFFFFF
        body.taken.append(instruction.ip)
        body.references.append((instruction.ip, made))

    def _collect(self, ends: set[int]) -> CodeSweep:
        sweep = CodeSweep()
        for body in self._bodies.values():
            sweep.transfers += body.transfers
            sweep.references += body.references
            sweep.taken.update(body.taken)
            sweep.sites += body.sites
            sweep.foreign += body.foreign
        open_end = {
            start
            for start, body in self._bodies.items()
            if body.last in _GOES_ON and body.stop not in ends
        }
        sweep.running = open_end
        starts = sorted(self._bodies)
        sweep.twice = self._found.returns | self._found.by_slots(
            self._found.returns, sweep.references, starts
        )
        stubs = self._found.by_slots(self._found.ends, sweep.references, starts)
        sweep.endless = self._endless(open_end, stubs)
        for start, body in self._bodies.items():
            called = body.last == CALL and body.stop not in ends and not self._is_last(start, body)
            if start in open_end or (called and body.target not in sweep.endless):
                sweep.falls.append((start, body.stop))
        return sweep

    def _is_last(self, start: int, body: _Body) -> bool:
        """Return whether it ends, by its frame, with a call of another file's function.

        A compiler emits that only if the function never returns.
        """
        return self._frames.get(start) == body.stop and self._found.in_stub(body.target)

    def _endless(self, open_end: set[int], stubs: set[int]) -> set[int]:
        """Return functions that never return: no ret, and tail jumps to such functions only."""
        found = stubs | {
            start
            for start, body in self._bodies.items()
            if not body.returns and start not in open_end
        }
        tails = {start: self._bodies[start].tails() for start in found - stubs}
        return drop_returning(found, tails)


def add_overlapping_sites(elf: ElfFile, sweep: CodeSweep, starts: list[int]) -> None:
    """Add system calls inside of another instruction's bytes, where jumps lead into its middle.

    Linear decoding goes wrong behind data in code until it happens to be aligned again. Bytes alone
    prove nothing, for they occur in numbers too; but there are few, and only those count to which
    the code leads from the target of a jump in the function.
    """
    known = {*sweep.sites, *sweep.foreign}
    by_function: dict[int, set[int]] = defaultdict(set)
    for low, high in elf.code:
        for match in _CALL_BYTES.finditer(elf.memory, low - elf.base, high - elf.base):
            at = match.start() + elf.base
            first = bisect_right(starts, at) - 1
            if at not in known and first >= 0:
                by_function[first].add(at)
    entered = sorted({to for _, to, _ in sweep.transfers}) if by_function else []
    for first, places in sorted(by_function.items()):
        start = starts[first]
        stop = starts[first + 1] if first + 1 < len(starts) else elf.base + len(elf.memory)
        targets = set(entered[bisect_left(entered, start) : bisect_left(entered, stop)])
        for at in sorted(places & _passed_over(elf, start, stop, targets)):
            is_native = elf.memory[at - elf.base] == _NATIVE_BYTE
            (sweep.sites if is_native else sweep.foreign).append(at)


def _passed_over(elf: ElfFile, start: int, stop: int, targets: set[int]) -> set[int]:
    """Return the instructions to which jumps lead, and which linear decoding skips."""
    known: set[int] = set()
    for instruction in iced.Decoder(64, elf.memory[start - elf.base : stop - elf.base], ip=start):
        known.add(instruction.ip)
        if instruction.flow_control in _BRANCHES:
            targets.add(instruction.near_branch_target)
    found: set[int] = set()
    for target in sorted(targets - known):
        if not start < target < stop:
            continue
        code = elf.memory[target - elf.base : min(stop, target + _FURTHEST) - elf.base]
        for instruction in iced.Decoder(64, code, ip=target):
            if instruction.ip in known or instruction.ip in found:
                break  # from here on all is decoded already
            found.add(instruction.ip)
    return found
