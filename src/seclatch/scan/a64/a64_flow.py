"""Control flow of one aarch64 function, and the data flow of its registers."""

from __future__ import annotations

import struct
from collections.abc import Set

from seclatch.scan.a64.a64_sweep import SVC, sign_extend
from seclatch.scan.a64.a64_tables import read_offset
from seclatch.scan.a64.a64_transfer import apply_instruction
from seclatch.scan.analysis import stack_words as stack
from seclatch.scan.analysis.abstract_values import ENTRY, State
from seclatch.scan.analysis.dataflow import FlowFacts, Outcome
from seclatch.scan.analysis.pointer_calls import Held, PointerStep

_SP, _NOP = 31, 0xD503201F
_CHANGED = 19
_LARGEST = 60_000


class A64Function:
    """One function as a `FlowMachine`; register 31 is the stack pointer."""

    stack = _SP

    def __init__(self, code: bytes, start: int, facts: FlowFacts) -> None:
        count = len(code) // 4
        self._words = struct.unpack_from(f"<{count}I", code) if count <= _LARGEST else ()
        computed = any(word & 0xFEFFFC1F == 0xD61F0000 for word in self._words)  # br
        if computed and facts.labels:
            self._words = ()  # a jump to a label and some more can lead anywhere
        self._start = start
        self._endless, self._settled = facts.endless, facts.settled
        self._addresses = facts.addresses
        self._switch = [(address - start) // 4 for address in facts.switch]
        self.addresses = [start + 4 * index for index in range(len(self._words))]
        self.entries = [(entered - start) // 4 for entered in facts.entered]
        calls = [
            i for i, word in enumerate(self._words) if word >> 26 == 0x25 or _calls_register(word)
        ]
        if facts.caught:
            self.entries += map(self._after, calls)
        called = {start + 4 * (_target(self._words[i], i) or 0) for i in calls}
        self._twice = not called.isdisjoint(facts.twice)
        self.leaders = self._find_leaders()
        if computed and (self.entries or not self._switch):
            self.entries = sorted(self.leaders)  # a table that cannot be read, or none
        elif computed:
            self.entries = sorted({*self._switch})  # it is unknown which jump uses which table

    def _find_leaders(self) -> set[int]:
        leaders = {0, *self.entries, *self._switch}
        for index, word in enumerate(self._words):
            target = _target(word, index)
            jumps = target is not None and word >> 26 != 0x25
            if jumps and target is not None:
                leaders.add(target)
            if self._ends(word, target):
                leaders.add(self._after(index))
            elif jumps:
                leaders.add(index + 1)
        return leaders

    def _ends(self, word: int, target: int | None) -> bool:
        """Return whether control stops there: a jump, return, trap, or call that never returns."""
        if word >> 26 == 0x25:
            return self._start + 4 * (target or 0) in self._endless
        return word >> 26 == 5 or _leaves(word)

    def _after(self, index: int) -> int:
        """Return the next instruction that is not padding."""
        index += 1
        while index < len(self._words) and self._words[index] == _NOP:
            index += 1
        return index

    def entry(self) -> State:
        """Return the state at entry: every register as the caller left it."""
        state: State = {register: frozenset([("in", register)]) for register in range(31)}
        state[_SP] = frozenset([ENTRY])
        if not self._twice:
            stack.begin_frame(state, settled=self._settled)
        return state

    def unknown(self) -> State:
        """Return the state of which only the existence of a stack is known."""
        state: State = dict.fromkeys(range(31))
        state[_SP] = frozenset([("frame", 1, 0)])
        return state

    def enter(self, index: int, state: State) -> None:
        """Set nothing: call numbers have a register of their own, on which no branch depends."""

    def step(self, index: int, state: State) -> Outcome:
        """Apply an instruction; see `FlowMachine`."""
        word = self._words[index]
        if word >> 26 == 0x25 or _calls_register(word):
            return self._call(word, index, state)
        target = _target(word, index)
        if target is not None:
            return [target] if word >> 26 == 5 else [target, index + 1]
        if _leaves(word):
            return []
        if word == SVC:
            state[0] = None
            stack.note_unknown_write(state)  # the kernel may write memory: read(2)
        elif self._addresses and word & 0x1F000000 == 0x10000000 and word & 31 != _SP:
            state[word & 31] = frozenset([("address", self._form_address(word, index))])
        elif word & 0xFFFFF01F != 0xD503201F:  # hints: nop, bti, paciasp
            apply_instruction(word, state)
        return None

    def landings(self, index: int) -> list[int]:
        """Return where exceptions lead; see `PointerMachine`."""
        return self.entries

    def follow_pointer(self, index: int, state: State, held: Held, slots: Set[int]) -> PointerStep:
        """Return that a pointer may go anywhere: compilers use linkage stubs here."""
        return PointerStep(held, escapes=True)

    def _form_address(self, word: int, index: int) -> int:
        """Return the address that adr forms, or the page that adrp does."""
        at = self._start + 4 * index
        if word >> 31:
            return (at & ~0xFFF) + (read_offset(word) << 12)
        return at + read_offset(word)

    def _call(self, word: int, index: int, state: State) -> Outcome:
        if word >> 26 == 0x25:
            target = self._start + 4 * (index + sign_extend(word & 0x3FFFFFF, 26))
            if target in self._endless:
                return []
        state.update(dict.fromkeys([*range(_CHANGED), 30]))
        stack.note_unknown_write(state)
        return None


def _calls_register(word: int) -> bool:
    """Return whether it is blr, also with authentication."""
    return word & 0xFFFFFC1F == 0xD63F0000 or word & 0xFEFFF800 == 0xD63F0800


def _leaves(word: int) -> bool:
    """Return whether it is br, ret, udf or brk."""
    if word >> 16 == 0 or word & 0xFFE0001F == 0xD4200000:
        return True
    return word & 0xFE000000 == 0xD6000000 and not _calls_register(word)


def _target(word: int, index: int) -> int | None:
    """Return the target of a direct jump or call, as the index of an instruction."""
    if word >> 26 in (5, 0x25):
        return index + sign_extend(word & 0x3FFFFFF, 26)
    if word >> 24 == 0x54 or word >> 24 & 0x7E == 0x34:
        return index + sign_extend(word >> 5 & 0x7FFFF, 19)
    if word >> 24 & 0x7E == 0x36:
        return index + sign_extend(word >> 5 & 0x3FFF, 14)
    return None
