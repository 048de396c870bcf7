"""Sets of values: every operation against the comparison itself, value by value."""

from hypothesis import given
from hypothesis import strategies as st

from seclatch.model.action import Operator
from seclatch.model.profile import Arg
from seclatch.profile import region

edges = st.sampled_from([0, 1, 2, 3, 4, 5, 7, 0xF0, 1 << 32, region.MAX - 1, region.MAX])
args = st.builds(Arg, st.just(0), st.sampled_from(Operator), edges, edges)
VALUES = [
    *range(10),
    0xEF,
    0xF0,
    0xF1,
    1 << 32,
    (1 << 32) + 1,
    region.MAX - 2,
    region.MAX - 1,
    region.MAX,
]


@given(args, args)
def test_conjoin_holds_where_both_do(left: Arg, right: Arg) -> None:
    try:
        both = region.conjoin(left, right)
    except ValueError:
        return
    for value in VALUES:
        expected = region.matches(left, value) and region.matches(right, value)
        assert (both is not None and region.matches(both, value)) == expected


@given(args, args)
def test_within_is_no_guess(left: Arg, right: Arg) -> None:
    """Where it says yes it is so; between ranges, and from one mask to another, it says no only
    where a value shows it."""
    outside = [v for v in VALUES if region.matches(left, v) and not region.matches(right, v)]
    if region.within(left, right):
        assert not outside
    elif Operator.MASKED_EQ not in (left.operator, right.operator):
        edges = region.samples(left) | region.samples(right)
        assert any(region.matches(left, v) and not region.matches(right, v) for v in edges)


@given(args)
def test_negate_holds_where_it_does_not(arg: Arg) -> None:
    try:
        other = region.negate(arg)
    except ValueError:
        assert arg.operator is Operator.MASKED_EQ
        return
    for value in VALUES:
        assert region.matches(arg, value) != region.matches(other, value)


@given(args)
def test_impossible_and_certain(arg: Arg) -> None:
    hits = [region.matches(arg, value) for value in VALUES]
    if region.impossible(arg):
        assert not any(hits)
    if region.certain(arg):
        assert all(hits)


@given(args)
def test_samples_lie_on_both_sides(arg: Arg) -> None:
    hits = {region.matches(arg, value) for value in region.samples(arg)}
    if region.certain(arg) or region.impossible(arg):
        return
    assert hits == {True, False}
