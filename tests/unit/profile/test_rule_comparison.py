"""Sets of values: every operation against the comparison itself, value by value."""

from hypothesis import given
from hypothesis import strategies as st

from seclatch.model.action import Operator
from seclatch.model.profile.profile import Arg
from seclatch.profile.meaning import rule_comparison

edges = st.sampled_from(
    [0, 1, 2, 3, 4, 5, 7, 0xF0, 1 << 32, rule_comparison.MAX - 1, rule_comparison.MAX]
)
args = st.builds(Arg, st.just(0), st.sampled_from(Operator), edges, edges)
VALUES = [
    *range(10),
    0xEF,
    0xF0,
    0xF1,
    1 << 32,
    (1 << 32) + 1,
    rule_comparison.MAX - 2,
    rule_comparison.MAX - 1,
    rule_comparison.MAX,
]


@given(args, args)
def test_conjoin_holds_where_both_do(left: Arg, right: Arg) -> None:
    try:
        both = rule_comparison.conjoin_comparisons(left, right)
    except ValueError:
        return
    for value in VALUES:
        expected = rule_comparison.matches_value(left, value) and rule_comparison.matches_value(
            right, value
        )
        assert (both is not None and rule_comparison.matches_value(both, value)) == expected


@given(args, args)
def test_within_is_exact(left: Arg, right: Arg) -> None:
    """A positive answer is always correct.

    Between ranges, and from one mask to another, a negative one is given only where a value proves
    it.
    """
    outside = [
        v
        for v in VALUES
        if rule_comparison.matches_value(left, v) and not rule_comparison.matches_value(right, v)
    ]
    if rule_comparison.is_within(left, right):
        assert not outside
    elif Operator.MASKED_EQ not in (left.operator, right.operator):
        edges = rule_comparison.list_edge_values(left) | rule_comparison.list_edge_values(right)
        assert any(
            rule_comparison.matches_value(left, v) and not rule_comparison.matches_value(right, v)
            for v in edges
        )


@given(args)
def test_negate_holds_where_it_does_not(arg: Arg) -> None:
    try:
        other = rule_comparison.negate_comparison(arg)
    except ValueError:
        assert arg.operator is Operator.MASKED_EQ
        return
    for value in VALUES:
        assert rule_comparison.matches_value(arg, value) != rule_comparison.matches_value(
            other, value
        )


@given(args)
def test_impossible_and_certain(arg: Arg) -> None:
    hits = [rule_comparison.matches_value(arg, value) for value in VALUES]
    if rule_comparison.matches_nothing(arg):
        assert not any(hits)
    if rule_comparison.matches_everything(arg):
        assert all(hits)


@given(args)
def test_samples_are_on_both_sides(arg: Arg) -> None:
    hits = {
        rule_comparison.matches_value(arg, value) for value in rule_comparison.list_edge_values(arg)
    }
    if rule_comparison.matches_everything(arg) or rule_comparison.matches_nothing(arg):
        return
    assert hits == {True, False}
