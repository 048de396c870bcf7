"""Jump tables of aarch64 code are found where a computed jump cannot use anything else."""

from __future__ import annotations

import pytest

from seclatch.scan.a64 import a64_flow
from seclatch.scan.a64.a64_tables import find_jump_targets
from seclatch.scan.analysis.dataflow import FlowFacts, StepBudget, find_states

START, NOP, SVC = 0x1000, 0xD503201F, 0xD4000001
PAGE = (0x90000009, 0x91004129)  # adrp x9, 0x1000; add x9, x9, #0x10
BYTE, HALF = 0x3868692B, 0x7868792B  # ldrb w11, [x9, x8]; ldrh w11, [x9, x8, lsl #1]
SUM, SIGNED_BYTE, SIGNED_HALF = 0x8B0B094A, 0x8B2B894A, 0x8B2BA94A  # add x10, x10, x11, lsl #2 ...
JUMP = 0xD61F0140  # br x10
NUMBER = 0x52801588  # mov w8, #172


def adr(at: int) -> int:
    """Return `adr x10` of 0x1080 for the instruction of this index."""
    offset = 0x80 - 4 * at
    return 0x1000000A | offset >> 2 << 5


def find(
    words: tuple[int, ...], table: bytes, entered: tuple[int, ...] = ()
) -> tuple[int, list[int] | None]:
    """Return the address of the table that was asked for, and where the jumps lead."""
    asked: list[int] = []

    def read_table(address: int) -> bytes:
        asked.append(address)
        return table

    padded = (*words, *[NOP] * (64 - len(words)))
    found = find_jump_targets(padded, START, entered, read_table)
    return sum(asked), found.targets if found else None


FOUND = {
    "bytes": ((*PAGE, adr(2), BYTE, SUM, JUMP), b"\0\1\4", [0x1080, 0x1084, 0x1090]),
    "halves": ((*PAGE, adr(2), HALF, SUM, JUMP), b"\0\0\4\0", [0x1080, 0x1090]),
    "GCC's bytes": ((*PAGE, adr(2), BYTE, SIGNED_BYTE, JUMP), b"\0\xff", [0x107C, 0x1080]),
    "GCC's halves": ((*PAGE, adr(2), HALF, SIGNED_HALF, JUMP), b"\0\0\xfe\xff", [0x1078, 0x1080]),
    "others between": ((*PAGE, NUMBER, adr(3), BYTE, NOP, SUM, JUMP), b"\0\1", [0x1080, 0x1084]),
    "a check of the index": ((0x54000408, *PAGE, adr(3), BYTE, SUM, JUMP), b"\0", [0x1080]),
    "what comes after the table": ((*PAGE, adr(2), BYTE, SUM, JUMP), b"\0\xff\1", [0x1080, 0x1084]),
    "no computed jump": ((*PAGE,), b"", []),
}


@pytest.mark.parametrize("case", FOUND)
def test_a_table_is_found(case: str) -> None:
    words, table, targets = FOUND[case]
    asked, found = find(words, table)
    assert found == targets
    assert asked == (0x1010 if targets else 0)


WHOLE = (*PAGE, adr(2), BYTE, SUM, JUMP)
LOST = {
    "a call": (*PAGE, 0x94000001, adr(3), BYTE, SUM, JUMP),
    "another address": (*PAGE, 0xAA0303E9, adr(3), BYTE, SUM, JUMP),  # mov x9, x3
    "a load that moves it": (*PAGE, 0xF8408523, adr(3), BYTE, SUM, JUMP),  # ldr x3, [x9], #8
    "a pair that is loaded": (*PAGE, 0xA94027E3, adr(3), BYTE, SUM, JUMP),  # ldp x3, x9, [sp]
    "another entry": (*PAGE, adr(2), BYTE, 0xAA0303EB, SUM, JUMP),  # mov x11, x3
    "another sum": (*PAGE, adr(2), BYTE, 0x8B0B014A, JUMP),  # add x10, x10, x11
    "another register": (*PAGE, adr(2), BYTE, SUM, 0xD61F0160),  # br x11
    "no page": (PAGE[1], adr(1), BYTE, SUM, JUMP),
    "a second jump": (*WHOLE, JUMP),
    "a jump into the middle": (*WHOLE, 0x17FFFFFD),  # b to the load
    "a compared pair": (*PAGE, 0x48287C82, adr(3), BYTE, SUM, JUMP),  # casp x8, x9, x2, x3, [x4]
    "a load of vectors": (*PAGE, 0x4CDF7120, adr(3), BYTE, SUM, JUMP),  # ld1 {v0.16b}, [x9], #16
    "an authenticated load": (*PAGE, 0xF8200D23, adr(3), BYTE, SUM, JUMP),  # ldraa x3, [x9]!
    "a table that leads into the middle": (*PAGE, 0x1000000A, BYTE, SUM, JUMP),  # adr x10, .
}


@pytest.mark.parametrize("case", LOST)
def test_a_jump_without_a_table_may_lead_anywhere(case: str) -> None:
    assert find(LOST[case], b"\0\1")[1] is None


def test_other_code_may_lead_into_the_middle() -> None:
    assert find(WHOLE, b"\0\1", (START + 4,))[1] is None
    assert find(WHOLE, b"\0\1", (START,))[1] == [0x1080, 0x1084]


def test_a_table_whose_first_entry_leads_elsewhere_is_none() -> None:
    assert find(WHOLE, b"\xff\0")[1] is None


@pytest.mark.parametrize("known", [True, False])
def test_nothing_is_known_where_a_table_leads(known: bool) -> None:
    """Between the number and the call a table leads, or not."""
    words = (NUMBER, NOP, SVC, 0xD65F03C0, JUMP)
    code = b"".join(word.to_bytes(4, "little") for word in words)
    leads = START if known else START + 4
    facts = FlowFacts(set(), set(), [leads], [], caught=False, labels=False)
    at = START + 8
    found = find_states(a64_flow.A64Function(code, START, facts), {at}, StepBudget())
    assert found is not None
    assert found[at].get(8) == (frozenset([172]) if known else None)
