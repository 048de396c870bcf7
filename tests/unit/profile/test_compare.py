"""Difference, union and intersection: by meaning, with the laws of a lattice."""

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from profiles import resolved_profiles

from seclatch.errors import SeclatchError
from seclatch.model.action import Operator
from seclatch.model.arch import Arch
from seclatch.model.profile import Arg, Profile, Rule
from seclatch.profile.combine import Combined, intersect, merge
from seclatch.profile.compare import Effect, diff
from seclatch.profile.meaning import overlaps, points, read

X86 = Arch.X86_64


def simple(*rules: Rule, default: str = "SCMP_ACT_ERRNO", arches: tuple[Arch, ...] = ()) -> Profile:
    return Profile(default, rules, arches)


def test_diff_ignores_how_it_is_written() -> None:
    one = simple(Rule(("read", "write"), "SCMP_ACT_ALLOW"))
    other = simple(
        Rule(("write",), "SCMP_ACT_ALLOW", comment="x"),
        Rule(("read",), "SCMP_ACT_ALLOW"),
        Rule(("bpf",), "SCMP_ACT_ERRNO", 1),
        arches=(X86,),
    )
    assert not diff(one, other, X86)


def test_diff_tells_what_changed_and_with_which_arguments() -> None:
    before = simple(
        Rule(("read", "bpf"), "SCMP_ACT_ALLOW"),
        Rule(("socket",), "SCMP_ACT_ALLOW", args=(Arg(0, Operator.NE, 40),)),
        arches=(Arch.X86,),
    )
    after = simple(
        Rule(("read", "mkdir"), "SCMP_ACT_ALLOW"),
        Rule(("socket",), "SCMP_ACT_ALLOW"),
        Rule(("bpf",), "SCMP_ACT_KILL_PROCESS"),
        Rule(("clone3",), "SCMP_ACT_ERRNO", 38),
        arches=(Arch.X32,),
    )
    found = diff(before, after, X86)
    assert found.opened == (Arch.X32,)
    assert found.closed == (Arch.X86,)
    changes = {change.name: change for change in found.changes}
    assert {name: change.effect for name, change in changes.items()} == {
        "bpf": Effect.DENIED,
        "clone3": Effect.ACTION,
        "mkdir": Effect.ALLOWED,
        "socket": Effect.ALLOWED,
    }
    assert changes["socket"].example[0] == 40
    assert changes["socket"].before == ("SCMP_ACT_ALLOW if arg0 != 0x28", "SCMP_ACT_ERRNO(1) else")
    assert changes["socket"].arches == (X86,)
    assert changes["mkdir"].example == ()


def test_what_was_not_compared_is_said() -> None:
    """Equal in meaning, but the combinations are too many to be sure."""
    rules = [
        Rule(
            ("ioctl",),
            "SCMP_ACT_ALLOW",
            args=(Arg(1, Operator.EQ, 8 * n), Arg(2, Operator.EQ, 8 * n)),
        )
        for n in range(60)
    ]
    first = rules[0].args
    split = [
        Rule(("ioctl",), "SCMP_ACT_ALLOW", args=(*first, Arg(3, operator, 5)))
        for operator in (Operator.LT, Operator.GE)
    ]
    (change,) = diff(simple(*rules), simple(*split, *rules[1:]), X86).changes
    assert change.effect is Effect.UNDECIDED
    assert not diff(simple(*rules), simple(*reversed(rules)), X86)
    assert not diff(simple(*rules), simple(*rules), X86)
    assert not diff(simple(*rules[:5]), simple(*reversed(rules[:5])), X86)


def test_diff_of_defaults() -> None:
    (change,) = diff(simple(), simple(default="SCMP_ACT_LOG"), X86).changes
    assert (change.name, change.effect) == ("*", Effect.ALLOWED)


def test_intersection_of_argument_rules() -> None:
    only = Rule(("socket",), "SCMP_ACT_ALLOW", args=(Arg(0, Operator.NE, 40),))
    stream = Rule(("socket",), "SCMP_ACT_ALLOW", args=(Arg(1, Operator.EQ, 1),))
    profile = intersect(simple(only), simple(stream), X86).profile
    assert profile.rules == (Rule(("socket",), "SCMP_ACT_ALLOW", None, (*only.args, *stream.args)),)


def test_combining_with_itself_adds_nothing() -> None:
    rules = tuple(
        Rule(("ioctl",), "SCMP_ACT_ALLOW", args=(Arg(n % 3, Operator.EQ, n),)) for n in range(20)
    )
    for operation in (merge, intersect):
        profile = operation(simple(*rules), simple(*rules), X86).profile
        assert {rule.args for rule in profile.rules} == {rule.args for rule in rules}


def test_a_range_that_no_comparison_says_is_refused() -> None:
    low = Rule(("kill",), "SCMP_ACT_ALLOW", args=(Arg(1, Operator.GE, 2),))
    high = Rule(("kill",), "SCMP_ACT_ALLOW", args=(Arg(1, Operator.LE, 5),))
    try:
        intersect(simple(low), simple(high), X86)
    except SeclatchError as error:
        assert "combining the rules for kill: no single comparison says arg1" in str(error)
    else:
        raise AssertionError


def test_combining_is_bounded() -> None:
    many = [
        Rule(("ioctl",), "SCMP_ACT_ALLOW", args=(Arg(index, Operator.GE, n),))
        for index in (1, 2)
        for n in range(200)
    ]
    with pytest.raises(SeclatchError, match="conditions are too many"):
        merge(simple(*many), simple(*many), X86)


# Comparisons whose combinations can all be said, so that the laws are tested and not refusals.
args = st.builds(
    Arg, st.integers(0, 2), st.sampled_from([Operator.EQ, Operator.NE]), st.sampled_from([0, 1])
)
rules = st.builds(
    Rule,
    st.lists(st.sampled_from(["read", "socket", "clone"]), min_size=1, max_size=2).map(tuple),
    st.sampled_from(["SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL_PROCESS"]),
    st.sampled_from([1, 38]),
    st.lists(args, max_size=2, unique_by=lambda arg: arg.index).map(tuple),
)
small = st.builds(
    Profile,
    st.sampled_from(["SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_LOG"]),
    st.lists(rules, max_size=3).map(tuple),
    st.just((Arch.X86,)),
).filter(
    lambda profile: (
        not any(next(overlaps(clauses), None) for clauses in read(profile, X86).calls.values())
    )
)


def same(left: Combined, right: Combined) -> bool:
    return not diff(left.profile, right.profile, X86)


@given(small, small)
def test_verdicts_are_the_more_permissive_and_the_stricter(left: Profile, right: Profile) -> None:
    one, other = read(left, X86), read(right, X86)
    union = read(merge(left, right, X86).profile, X86)
    common = read(intersect(left, right, X86).profile, X86)
    for name in ("read", "socket", "clone", "mkdir"):
        for values in points([*one.clauses(name), *other.clauses(name)]):
            pair = one.verdict(name, values), other.verdict(name, values)
            order = [(action.kind.precedence, -action.data) for action in pair]
            assert union.verdict(name, values) == pair[order.index(max(order))]
            assert common.verdict(name, values) == pair[order.index(min(order))]


@given(small, small)
def test_results_do_not_depend_on_libseccomps_order(left: Profile, right: Profile) -> None:
    for combined in (merge(left, right, X86), intersect(left, right, X86)):
        meaning = read(combined.profile, X86)
        assert not any(next(overlaps(c), None) for c in meaning.calls.values())
        assert not [idle for idle in meaning.idle if idle.fate.name != "REPEATED"]


@given(small, small, small)
@settings(suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
def test_laws(one: Profile, other: Profile, third: Profile) -> None:
    for operation, dual in ((merge, intersect), (intersect, merge)):
        assert not diff(operation(one, one, X86).profile, one, X86)
        assert same(operation(one, other, X86), operation(other, one, X86))
        both = operation(one, other, X86).profile
        assert same(
            operation(both, third, X86),
            operation(one, operation(other, third, X86).profile, X86),
        )
        assert not diff(operation(one, dual(one, other, X86).profile, X86).profile, one, X86)


@given(resolved_profiles(), resolved_profiles())
def test_any_two_profiles_combine_or_say_why_not(left: Profile, right: Profile) -> None:
    for operation in (merge, intersect):
        try:
            combined = operation(left, right, X86)
        except SeclatchError as error:
            assert error.remedy
            continue
        assume(combined.profile.rules)
        assert read(combined.profile, X86).default in (left.default, right.default)


def test_overlapping_conditions_are_libseccomp_s_to_order() -> None:
    """personality(0) is refused by the compiled filter; a first-match reading would allow it."""
    wide = Rule(("personality",), "SCMP_ACT_ALLOW", args=(Arg(0, Operator.LT, 8),))
    narrow = Rule(("personality",), "SCMP_ACT_ERRNO", errno=5, args=(Arg(0, Operator.LT, 4),))
    profile = simple(wide, narrow)
    for combine in (merge, intersect):
        with pytest.raises(SeclatchError, match="overlap, and libseccomp chooses"):
            combine(profile, profile, X86)
    assert not diff(profile, profile, X86)
    (change,) = diff(profile, simple(narrow, wide), X86).changes
    assert change.effect is Effect.UNDECIDED


def test_masks_beside_equalities_are_not_called_equal() -> None:
    """7 is let through by the mask alone, and lies between the edges of both."""
    top = (1 << 64) - 1
    equal = [
        Rule(("personality",), "SCMP_ACT_ALLOW", args=(Arg(0, Operator.EQ, value),))
        for value in (5, top)
    ]
    masked = Rule(("personality",), "SCMP_ACT_ALLOW", args=(Arg(0, Operator.MASKED_EQ, 5, 5),))
    assert diff(simple(*equal), simple(*equal, masked), X86)
