"""Many queries together return what each returns alone."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from seclatch.errors import SeclatchError
from seclatch.filter.classic_bpf.opcode import ABS, ALU, DIV, LD, RET_K, TAX, X
from seclatch.filter.query_filter import FilterQuery, query_filter
from seclatch.model.arch import Arch
from seclatch.model.call_notation import AskedCall
from seclatch.model.filter import Filter, Instruction
from seclatch.model.seccomp_data import POINTER
from seclatch.model.syscall import load_syscalls
from tests.strategies import programs
from tests.styles import chromium_style, minijail_style

words = st.none() | st.sampled_from([0, 1, 5, 15, 1000, 1 << 32, (1 << 64) - 1])
asked = st.builds(
    lambda arch, number, args: AskedCall(load_syscalls(arch).at(number), args, "x"),
    st.sampled_from([Arch.X86_64, Arch.X86, Arch.AARCH64]),
    st.sampled_from([0, 1, 2, 39, 62, 102, 157, 16, 9999]),
    st.tuples(*[words] * 6),
)


def answers(program: Filter, one: AskedCall) -> set[tuple[str, str]]:
    return {(each.action, each.condition) for each in FilterQuery(program).ask(one)}


@given(st.sampled_from([chromium_style(), minijail_style()]), asked)
def test_real_styles(program: Filter, one: AskedCall) -> None:
    alone = query_filter(program, one)
    assert {action for action, _ in answers(program, one)} == {each.action for each in alone}
    if len(alone) == 1 and not alone[0].condition:
        assert answers(program, one) == {(alone[0].action, "")}


# A division by the instruction pointer, which no query sets.
UNDECIDED = Filter(
    (
        Instruction(LD | ABS, 0, 0, 4 * POINTER),
        Instruction(TAX, 0, 0, 0),
        Instruction(ALU | DIV | X, 0, 0, 1),
        Instruction(RET_K, 0, 0, 0),
    )
)


@given(programs(), asked)
@example(UNDECIDED, AskedCall(load_syscalls(Arch.X86_64).at(0), (None,) * 6, "x"))
def test_any_program(program: Filter, one: AskedCall) -> None:
    whole = AskedCall(one.syscall, tuple(arg or 0 for arg in one.args), "x")
    try:
        alone = {(each.action, each.condition) for each in query_filter(program, whole)}
    except SeclatchError as error:
        with pytest.raises(SeclatchError) as together:
            answers(program, whole)
        assert str(together.value) == str(error)
    else:
        assert answers(program, whole) == alone
