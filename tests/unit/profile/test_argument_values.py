"""Sets of values: every operation against the comparison itself, value by value."""

from hypothesis import given
from hypothesis import strategies as st

from seclatch.model.action import Operator
from seclatch.model.profile import Arg
from seclatch.profile.meaning import argument_values

edges = st.sampled_from(
    [0, 1, 2, 3, 4, 5, 7, 0xF0, 1 << 32, argument_values.MAX - 1, argument_values.MAX]
)
args = st.builds(Arg, st.just(0), st.sampled_from(Operator), edges, edges)
VALUES = [
    *range(10),
    0xEF,
    0xF0,
    0xF1,
    1 << 32,
    (1 << 32) + 1,
    argument_values.MAX - 2,
    argument_values.MAX - 1,
    argument_values.MAX,
]


@given(args, args)
def test_conjoin_holds_where_both_do(left: Arg, right: Arg) -> None:
    try:
        both = argument_values.conjoin(left, right)
    except ValueError:
        return
    for value in VALUES:
        expected = argument_values.matches(left, value) and argument_values.matches(right, value)
        assert (both is not None and argument_values.matches(both, value)) == expected


@given(args, args)
def test_within_is_no_guess(left: Arg, right: Arg) -> None:
    """Where it says yes it is so; between ranges, and from one mask to another, it says no only
    where a value shows it."""
    outside = [
        v
        for v in VALUES
        if argument_values.matches(left, v) and not argument_values.matches(right, v)
    ]
    if argument_values.within(left, right):
        assert not outside
    elif Operator.MASKED_EQ not in (left.operator, right.operator):
        edges = argument_values.samples(left) | argument_values.samples(right)
        assert any(
            argument_values.matches(left, v) and not argument_values.matches(right, v)
            for v in edges
        )


@given(args)
def test_negate_holds_where_it_does_not(arg: Arg) -> None:
    try:
        other = argument_values.negate(arg)
    except ValueError:
        assert arg.operator is Operator.MASKED_EQ
        return
    for value in VALUES:
        assert argument_values.matches(arg, value) != argument_values.matches(other, value)


@given(args)
def test_impossible_and_certain(arg: Arg) -> None:
    hits = [argument_values.matches(arg, value) for value in VALUES]
    if argument_values.impossible(arg):
        assert not any(hits)
    if argument_values.certain(arg):
        assert all(hits)


@given(args)
def test_samples_lie_on_both_sides(arg: Arg) -> None:
    hits = {argument_values.matches(arg, value) for value in argument_values.samples(arg)}
    if argument_values.certain(arg) or argument_values.impossible(arg):
        return
    assert hits == {True, False}
