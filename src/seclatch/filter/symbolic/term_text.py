"""Format values and tests of a filter as text."""

from __future__ import annotations

from seclatch.filter.classic_bpf import opcode
from seclatch.filter.symbolic.term import U32, TermTest, Value
from seclatch.filter.symbolic.word_set import Range, WordSet
from seclatch.model.filter import ByteOrder

SYMBOLS = {
    opcode.ADD: "+",
    opcode.SUB: "-",
    opcode.MUL: "*",
    opcode.DIV: "/",
    opcode.OR: "|",
    opcode.AND: "&",
    opcode.LSH: "<<",
    opcode.RSH: ">>",
    opcode.XOR: "^",
}

COMPARISONS = {opcode.JEQ: "==", opcode.JGT: ">", opcode.JGE: ">=", opcode.JSET: "&"}

_OPPOSITES = {opcode.JEQ: "!=", opcode.JGT: "<=", opcode.JGE: "<"}


def name_word(word: int, byteorder: ByteOrder) -> str:
    """Return the name of a word of seccomp_data: `nr`, `arch`, `ip.low`, `arg0.high`."""
    if word < 2:
        return ("nr", "arch")[word]
    half = "low" if (word % 2 == 0) == (byteorder == "little") else "high"
    return f"ip.{half}" if word < 4 else f"arg{word // 2 - 2}.{half}"


def format_value(value: Value, byteorder: ByteOrder) -> str:
    """Return the value as a formula."""
    if isinstance(value, int):
        return f"{value:#x}"
    if value.word is not None:
        name = name_word(value.word, byteorder)
        return name if value.mask == U32 else f"({name} & {value.mask:#x})"
    left = format_value(value.left, byteorder)
    if value.operation == opcode.NEG:
        return f"(-{left})"
    return f"({left} {SYMBOLS[value.operation]} {format_value(value.right, byteorder)})"


def format_test(test: TermTest, holds: bool, byteorder: ByteOrder) -> str:
    """Return the test that must hold, or its opposite if it must fail."""
    left, right = (format_value(value, byteorder) for value in (test.term, test.right))
    if test.operation == opcode.JSET:
        return f"({left} & {right}) {'!=' if holds else '=='} 0"
    symbols = COMPARISONS if holds else _OPPOSITES
    return f"{left} {symbols[test.operation]} {right}"


def format_word_set(domain: WordSet, name: str) -> str:
    """Return a word's condition: `arg0.low == 0x5`, `(arg1.low & 0x3) != 0x1`."""
    parts = []
    if domain.ranges != ((0, U32),):
        shown = [_show_range(one, name) for one in domain.ranges[:4]]
        more = [f"{len(domain.ranges) - 4} more ranges"] if len(domain.ranges) > 4 else []
        alternatives = " or ".join(shown + more)
        parts.append(f"({alternatives})" if len(domain.ranges) > 1 else alternatives)
    if domain.equal != (0, 0):
        parts.append("({} & {:#x}) == {:#x}".format(name, *domain.equal))
    parts += ["({} & {:#x}) != {:#x}".format(name, *cube) for cube in domain.unequal]
    return " and ".join(parts)


def _show_range(values: Range, name: str) -> str:
    first, last = values
    if first == last:
        return f"{name} == {first:#x}"
    if first == 0:
        return f"{name} <= {last:#x}"
    return f"{name} >= {first:#x}" if last == U32 else f"{first:#x} <= {name} <= {last:#x}"
