"""The table evaluator returns what the interpreter returns."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from seclatch.filter.classic_bpf import opcode as op
from seclatch.filter.classic_bpf.simulate import simulate_filter
from seclatch.filter.evaluate_calls import CallEvaluator
from seclatch.model.filter import Filter, Instruction
from seclatch.model.seccomp_data import SeccompData
from tests.examples import examples
from tests.strategies import calls, programs


@settings(max_examples=examples(400), deadline=None)
@given(programs(60), st.lists(calls, min_size=1, max_size=30))
def test_evaluator_agrees_with_the_interpreter(program: Any, drawn: Any) -> None:
    evaluator = CallEvaluator(program)
    for call in drawn:
        assert evaluator.value(call) == simulate_filter(program, call).value


def diamonds(count: int) -> Filter:
    """Make pairs of paths that join again with different sums: 2**count paths."""
    code = [Instruction(op.LDX | op.IMM, 0, 0, 0)]
    for bit in range(count):
        code += [
            Instruction(op.LD | op.ABS, 0, 0, 16),
            Instruction(op.JMP | op.JSET, 0, 4, 1 << bit % 32),
            Instruction(op.TXA, 0, 0, 0),
            Instruction(op.ALU | op.MUL, 0, 0, 3),
            Instruction(op.ALU | op.ADD, 0, 0, bit + 1),
            Instruction(op.TAX, 0, 0, 0),
        ]
    return Filter((*code, Instruction(op.TXA, 0, 0, 0), Instruction(op.RET_A, 0, 0, 0)))


def test_a_program_that_is_too_complex_is_interpreted() -> None:
    program = diamonds(600)
    call = SeccompData(1, 2, (0x5A5A5A5A,))
    assert CallEvaluator(program).value(call) == simulate_filter(program, call).value
