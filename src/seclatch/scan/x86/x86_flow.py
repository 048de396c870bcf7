"""Control flow of one x86-64 function, and the data flow of its registers."""

from __future__ import annotations

from collections.abc import Mapping, Set
from itertools import pairwise

import iced_x86 as iced

from seclatch.scan.analysis import stack_words as stack
from seclatch.scan.analysis.abstract_values import ENTRY, Atom, State, make_numbers
from seclatch.scan.analysis.dataflow import FlowFacts, Outcome
from seclatch.scan.analysis.pointer_calls import Held, PointerStep, find_landings
from seclatch.scan.elf.elf_file import ElfFile
from seclatch.scan.x86.x86_operands import (
    WHOLE,
    WIDTH,
    has_same_operands,
    write_register,
    write_whole_register,
)
from seclatch.scan.x86.x86_pointers import follow_instruction
from seclatch.scan.x86.x86_transfer import apply_instruction

R, M, F, K = iced.Register, iced.Mnemonic, iced.FlowControl, iced.OpKind

RAX, RSP = R.RAX, R.RSP
ARGUMENTS = (R.RDI, R.RSI, R.RDX, R.RCX, R.R8, R.R9)
"""Registers of a function's first arguments, in order (System V psABI)."""
_ANYWHERE = (R.RAX, R.RCX, R.RDX, R.RSI, R.RDI, R.R8, R.R9, R.R10, R.R11)
"""Registers that a called function may change (System V psABI)."""

_NOTHING = {M.CMP, M.TEST, M.NOP, M.ENDBR64}
_LARGEST = 60_000
_TABLE = "table"
"""The name of an address of data: ("table", address)."""


class X86Function:
    """One function as a `FlowMachine`."""

    stack: int = RSP

    def __init__(self, code: bytes, start: int, facts: FlowFacts) -> None:
        self._instructions = list(iced.Decoder(64, code, ip=start))
        computed = any(map(_jumps_anywhere, self._instructions))
        if len(self._instructions) > _LARGEST or (computed and facts.labels):
            del self._instructions[:]  # a jump to a label and some more can lead anywhere
        self.addresses = [instruction.ip for instruction in self._instructions]
        self._index = {address: i for i, address in enumerate(self.addresses)}
        self._facts = facts
        self._formed = "address" if facts.addresses else _TABLE if facts.tables else ""
        self._endless, self._settled, self._words = facts.endless, facts.settled, facts.words
        self._switch = [self._index[address] for address in facts.switch if address in self._index]
        self.entries = [self._index[entered] for entered in facts.entered if entered in self._index]
        self._twice = any(
            _destination(instruction) in facts.twice for instruction in self._instructions
        )
        jumped = bool(self.entries)
        if facts.caught and facts.pads is not None:
            pads = {self._index[pad] for _, _, pad in facts.pads if pad in self._index}
            self.entries += sorted(pads)
        elif facts.caught:
            jumped = True
            calls = (i for i, instruction in enumerate(self._instructions) if _is_call(instruction))
            self.entries += [self._after(i, padding=True) for i in calls]
        self.leaders = self._find_leaders()
        self._anywhere = computed and (jumped or not self._switch)
        if self._anywhere:
            self.entries = sorted(self.leaders)  # a table that cannot be read, or none
        self._zeros = self._find_zeros()

    def _find_leaders(self) -> set[int]:
        leaders = {0, *self._switch, *self.entries}
        for i, instruction in enumerate(self._instructions):
            if instruction.flow_control in (F.NEXT, F.INDIRECT_CALL) or (
                instruction.flow_control == F.CALL
                and instruction.near_branch_target not in self._endless
            ):
                continue
            leaders.add(self._after(i, padding=instruction.flow_control != F.CONDITIONAL_BRANCH))
            if instruction.flow_control in (F.CONDITIONAL_BRANCH, F.UNCONDITIONAL_BRANCH):
                target = self._index.get(instruction.near_branch_target)
                if target is not None:
                    leaders.add(target)
        return leaders

    def _after(self, index: int, *, padding: bool) -> int:
        """Return the next instruction; the one after the padding, if some may follow."""
        index += 1
        while padding and index < len(self._instructions):
            if self._instructions[index].mnemonic != M.NOP:
                break
            index += 1
        return index

    def _find_zeros(self) -> dict[int, int]:
        """Map an instruction to the register that is 0 there, after `test r, r; jne` alone.

        glibc makes read(2) with the register that it tested so (2.31, SYSCALL_CANCEL).
        """
        targets = {
            self._index.get(instruction.near_branch_target)
            for instruction in self._instructions
            if instruction.flow_control in (F.CONDITIONAL_BRANCH, F.UNCONDITIONAL_BRANCH)
        }
        targets.update(self._switch, self.entries)
        return {
            index + 2: test.op0_register
            for index, (test, jump) in enumerate(pairwise(self._instructions))
            if jump.mnemonic == M.JNE
            and test.mnemonic == M.TEST
            and has_same_operands(test)
            and targets.isdisjoint((index + 1, index + 2))
        }

    def entry(self) -> State:
        """Return the state at entry: every register as the caller left it."""
        state: State = {register: frozenset([("in", register)]) for register in set(WHOLE.values())}
        state[RSP] = frozenset([ENTRY])
        if not self._twice:
            stack.begin_frame(state, settled=self._settled)
        return state

    def unknown(self) -> State:
        """Return the state of which only the existence of a stack is known."""
        state: State = dict.fromkeys(set(WHOLE.values()))
        state[RSP] = frozenset([("frame", 1, 0)])
        return state

    def enter(self, index: int, state: State) -> None:
        """Set the register that is 0 on every path that leads here."""
        if index in self._zeros:
            write_register(self._zeros[index], state, make_numbers(0))

    def step(self, index: int, state: State) -> Outcome:
        """Apply an instruction; see `FlowMachine`."""
        instruction = self._instructions[index]
        flow = instruction.flow_control
        if self._formed and is_address(instruction):
            formed = frozenset([(self._formed, instruction.memory_displacement)])
            write_register(instruction.op0_register, state, formed)
            return None
        if flow == F.NEXT or instruction.mnemonic == M.SYSCALL:
            if instruction.mnemonic not in _NOTHING:
                apply_instruction(instruction, state)
            if self._words and instruction.memory_displacement in self._words:
                self._load_word(instruction, state)
            return None
        if flow in (F.CALL, F.INDIRECT_CALL):
            if flow == F.CALL and instruction.near_branch_target in self._endless:
                return []
            for register in _ANYWHERE:
                write_whole_register(state, register, None)
            stack.note_unknown_write(state)
            return None
        return self._leads(instruction, index, state)

    def _find_table(self, index: int, state: State) -> list[int]:
        """Return the addresses in the table of a computed jump; none if that is not known.

        That is `add base, offset; jmp *offset`, where the base can only be a table's address.
        """
        jump, sum_ = self._instructions[index], self._instructions[index - 1]
        is_sum = (
            sum_.mnemonic == M.ADD
            and jump.op0_kind == sum_.op0_kind == K.REGISTER
            and jump.op0_register == sum_.op0_register
            and index not in self.leaders
        )
        base = state.get(sum_.op1_register) if is_sum else None
        if not base or not all(_is_table(atom, self._facts.tables) for atom in base):
            return []
        tables = [self._facts.tables[atom[1]] for atom in base if isinstance(atom, tuple)]
        return [to for table in tables for to in table]

    def landings(self, index: int) -> list[int]:
        """Return where exceptions of a call, or unknown jumps, lead; see `PointerMachine`."""
        if self._instructions[index].flow_control == F.INDIRECT_BRANCH:
            return self.entries if self._anywhere else []
        return find_landings(self._facts, self._index, self.addresses[index], self.entries)

    def follow_pointer(self, index: int, state: State, held: Held, slots: Set[int]) -> PointerStep:
        """Return what an instruction does with a pointer; see `PointerMachine`."""
        instruction = self._instructions[index]
        targets = [instruction.near_branch_target]
        if instruction.flow_control == F.INDIRECT_BRANCH:
            targets = self._find_table(index, state)
        # A computed jump without a table of its own may be a tail call, even beside tables.
        leaves = not targets or any(target not in self._index for target in targets)
        return follow_instruction(instruction, state, held, slots, leaves=leaves)

    def _load_word(self, instruction: iced.Instruction, state: State) -> None:
        if _is_plain_load(instruction):
            word = self._words[instruction.memory_displacement]
            write_register(instruction.op0_register, state, word)

    def _leads(self, instruction: iced.Instruction, index: int, state: State) -> list[int]:
        target = self._index.get(instruction.near_branch_target)
        inside = [] if target is None else [target]
        if instruction.flow_control == F.UNCONDITIONAL_BRANCH:
            return inside
        if instruction.flow_control == F.CONDITIONAL_BRANCH:
            return [*inside, index + 1]
        if instruction.flow_control == F.INDIRECT_BRANCH:
            table = self._find_table(index, state)
            return [self._index[to] for to in table if to in self._index] or self._switch
        # An interrupt (int 0x80) returns; ret, ud2 and hlt do not.
        return (
            [index + 1] if instruction.mnemonic == M.INT and instruction.immediate8 == 0x80 else []
        )


def _is_table(atom: Atom, tables: Mapping[int, list[int]]) -> bool:
    return isinstance(atom, tuple) and atom[0] == _TABLE and bool(tables.get(atom[1]))


def is_address(instruction: iced.Instruction) -> bool:
    """Return whether it forms an address by the instruction's own."""
    return bool(
        instruction.mnemonic == M.LEA
        and instruction.memory_base == R.RIP
        and instruction.op0_register in WHOLE
    )


def is_plain_load(elf: ElfFile, at: int) -> bool:
    """Return whether the instruction at an address only reads a variable into a register."""
    text = elf.memory[at - elf.base : at - elf.base + 15]
    return _is_plain_load(iced.Decoder(64, text, ip=at).decode())


def _is_plain_load(instruction: iced.Instruction) -> bool:
    return bool(
        instruction.mnemonic == M.MOV
        and instruction.op0_kind == K.REGISTER
        and instruction.op0_register in WHOLE
        and WIDTH[instruction.op0_register] >= 4
        and instruction.op1_kind == K.MEMORY
        and instruction.memory_base == R.RIP
    )


def _destination(instruction: iced.Instruction) -> int:
    """Return the target of a call or jump, or the slot that holds it; 0 for others."""
    if instruction.flow_control in (F.CALL, F.UNCONDITIONAL_BRANCH):
        return instruction.near_branch_target
    return instruction.memory_displacement if instruction.memory_base == R.RIP else 0


def _is_call(instruction: iced.Instruction) -> bool:
    return (
        instruction.flow_control in (F.CALL, F.INDIRECT_CALL) and instruction.mnemonic != M.SYSCALL
    )


def _jumps_anywhere(instruction: iced.Instruction) -> bool:
    """Return whether it is a computed jump, and not one by the linker's pointer."""
    return instruction.flow_control == F.INDIRECT_BRANCH and instruction.memory_base != R.RIP
