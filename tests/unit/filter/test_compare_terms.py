"""Comparisons of terms in the symbolic executor."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from seclatch.filter.classic_bpf import opcode as op
from seclatch.filter.classic_bpf.simulate import simulate_filter
from seclatch.filter.evaluate_calls import CallEvaluator
from seclatch.filter.symbolic.compare_terms import _next_part
from seclatch.model.filter import Filter, Instruction
from seclatch.model.seccomp_data import SeccompData
from tests.strategies import words


@given(st.integers(1, 255), st.integers(0, 255))
def test_next_part_is_the_least_subset_of_the_mask(mask: Any, least: Any) -> None:
    parts = [part for part in range(least, mask + 1) if part & ~mask == 0]
    if parts:
        assert _next_part(mask, least) == parts[0]


@given(words, st.sampled_from(sorted(op.COMPARISON)), words, st.booleans(), st.lists(words))
def test_comparisons_of_masked_words(
    mask: Any, operation: Any, right: Any, by_register: Any, probes: Any
) -> None:
    code = (
        Instruction(op.LDX | op.IMM, 0, 0, right),
        Instruction(op.LD | op.ABS, 0, 0, 16),
        Instruction(op.ALU | op.AND, 0, 0, mask),
        Instruction(op.JMP | operation | (op.X if by_register else op.K), 1, 0, right),
        Instruction(op.RET_K, 0, 0, 1),
        Instruction(op.RET_K, 0, 0, 2),
    )
    program = Filter(code)
    evaluator = CallEvaluator(program)
    for word in [*probes, 0, mask, right, right - 1 & 0xFFFFFFFF, right + 1 & 0xFFFFFFFF]:
        call = SeccompData(1, 2, (word,))
        assert evaluator.value(call) == simulate_filter(program, call).value
