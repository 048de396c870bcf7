"""Many queries together return what each returns alone."""

from hypothesis import given
from hypothesis import strategies as st

from seclatch.filter.query_filter import FilterQuery, query_filter
from seclatch.model.arch import Arch
from seclatch.model.call_notation import AskedCall
from seclatch.model.filter import Filter
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


@given(programs(), asked)
def test_any_program(program: Filter, one: AskedCall) -> None:
    whole = AskedCall(one.syscall, tuple(arg or 0 for arg in one.args), "x")
    assert answers(program, whole) == {
        (each.action, each.condition) for each in query_filter(program, whole)
    }
