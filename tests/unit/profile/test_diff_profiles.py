"""Difference, union and intersection: by meaning, with the laws of a lattice."""

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from seclatch.errors import SeclatchError
from seclatch.filter.evaluate_calls import CallEvaluator
from seclatch.model.action import Operator
from seclatch.model.arch import Arch
from seclatch.model.filter import Filter
from seclatch.model.profile.profile import Arg, Profile, Rule
from seclatch.model.seccomp_data import SeccompData
from seclatch.profile.compile.compile_profile import Runtime, compile_profile
from seclatch.profile.meaning import diff_profiles
from seclatch.profile.meaning.clause import list_edge_points, list_overlaps
from seclatch.profile.meaning.diff_profiles import CallEffect, compare_profiles
from seclatch.profile.meaning.merge_profiles import (
    CombinedProfile,
    intersect_profiles,
    merge_profiles,
)
from seclatch.profile.meaning.rule_meaning import read_meaning
from seclatch.system.libseccomp import format_version
from tests.examples import examples
from tests.unit.profile.profiles import resolved_profiles

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
    assert not compare_profiles(one, other, X86)


def test_diff_reports_changes_with_their_arguments() -> None:
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
    found = compare_profiles(before, after, X86)
    assert found.opened == (Arch.X32,)
    assert found.closed == (Arch.X86,)
    changes = {change.name: change for change in found.changes}
    assert {name: change.effect for name, change in changes.items()} == {
        "bpf": CallEffect.DENIED,
        "clone3": CallEffect.ACTION,
        "mkdir": CallEffect.ALLOWED,
        "socket": CallEffect.ALLOWED,
    }
    assert changes["socket"].example[0] == 40
    assert changes["socket"].before == ("SCMP_ACT_ALLOW if arg0 != 0x28", "SCMP_ACT_ERRNO(1) else")
    assert changes["socket"].arches == (X86,)
    assert changes["mkdir"].example == ()


def test_many_combinations_are_decided() -> None:
    """Equivalent, with more combinations than could be tried one by one."""
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
    assert not compare_profiles(simple(*rules), simple(*split, *rules[1:]), X86)
    (change,) = compare_profiles(simple(*rules), simple(split[0], *rules[1:]), X86).changes
    assert change.effect is CallEffect.DENIED
    assert change.example[:3] == (0, 0, 0)
    assert change.example[3] >= 5
    assert not compare_profiles(simple(*rules), simple(*reversed(rules)), X86)


def test_masks_of_one_argument_are_compared() -> None:
    """One by one there would be 2**40 values to compare."""
    masks = [
        Rule(("ioctl",), "SCMP_ACT_ALLOW", args=(Arg(1, Operator.MASKED_EQ, 3 << n, 3 << n),))
        for n in range(0, 60)
    ]
    (change,) = compare_profiles(simple(*masks), simple(*masks[1:]), X86).changes
    assert change.effect is CallEffect.DENIED
    assert change.example[1] & 7 == 3
    assert not compare_profiles(simple(*masks), simple(*reversed(masks)), X86)


def test_undecided_comparisons_are_reported() -> None:
    """Masks of two arguments, all of which intersect."""
    masks = [
        Rule(
            ("ioctl",),
            "SCMP_ACT_ALLOW",
            args=(
                Arg(1, Operator.MASKED_EQ, 0x11 << n, 1 << n),
                Arg(2, Operator.MASKED_EQ, 3 << n * 7 % 60, 1 << n * 7 % 60),
            ),
        )
        for n in range(30)
    ]
    (change,) = compare_profiles(simple(*masks), simple(*masks[1:]), X86).changes
    assert change.effect is CallEffect.UNDECIDED
    assert change.example[1] & 0x11 == 1 == change.example[2] & 3  # allowed by the first rule alone
    assert not compare_profiles(simple(*masks), simple(*reversed(masks)), X86)


def test_diff_of_defaults() -> None:
    (change,) = compare_profiles(simple(), simple(default="SCMP_ACT_LOG"), X86).changes
    assert (change.name, change.effect) == ("*", CallEffect.ALLOWED)


def test_intersection_of_argument_rules() -> None:
    only = Rule(("socket",), "SCMP_ACT_ALLOW", args=(Arg(0, Operator.NE, 40),))
    stream = Rule(("socket",), "SCMP_ACT_ALLOW", args=(Arg(1, Operator.EQ, 1),))
    profile = intersect_profiles(simple(only), simple(stream), X86).profile
    assert profile.rules == (Rule(("socket",), "SCMP_ACT_ALLOW", None, (*only.args, *stream.args)),)


def test_combining_with_itself_adds_nothing() -> None:
    rules = tuple(
        Rule(("ioctl",), "SCMP_ACT_ALLOW", args=(Arg(n % 3, Operator.EQ, n),)) for n in range(20)
    )
    for operation in (merge_profiles, intersect_profiles):
        profile = operation(simple(*rules), simple(*rules), X86).profile
        assert {rule.args for rule in profile.rules} == {rule.args for rule in rules}


def test_a_range_that_no_single_comparison_expresses() -> None:
    """Masked comparisons express it together."""
    low = Rule(("kill",), "SCMP_ACT_ALLOW", args=(Arg(1, Operator.GE, 2),))
    high = Rule(("kill",), "SCMP_ACT_ALLOW", args=(Arg(1, Operator.LE, 5),))
    meaning = read_meaning(intersect_profiles(simple(low), simple(high), X86).profile, X86)
    allowed = [n for n in range(20) if meaning.verdict("kill", (0, n, 0, 0, 0, 0)).kind.executes]
    assert allowed == [2, 3, 4, 5]
    assert not meaning.verdict("kill", (0, (1 << 32) + 3, 0, 0, 0, 0)).kind.executes
    assert not [
        1
        for left, right in product(meaning.clauses("kill"), repeat=2)
        if left.action != right.action
    ]


def test_implied_conditions_are_left_out() -> None:
    """The fewer comparisons of one argument there are, the less libseccomp miscompiles."""
    bounds = [
        simple(Rule(("kill",), "SCMP_ACT_ALLOW", args=(Arg(1, Operator.LT, value),)))
        for value in (2, 9)
    ]
    assert merge_profiles(*bounds, X86).profile.rules == bounds[1].rules
    assert intersect_profiles(*bounds, X86).profile.rules == bounds[0].rules


def test_a_mask_truncated_by_a_narrower_abi() -> None:
    """On x86 the first rule has no condition and decides; on x86-64 the second rule does."""
    masked = Rule(("kill",), "SCMP_ACT_ALLOW", args=(Arg(0, Operator.MASKED_EQ, 1 << 32, 0),))
    profile = simple(masked, Rule(("kill",), "SCMP_ACT_LOG"), arches=(Arch.X86,))
    with pytest.raises(SeclatchError, match="on x86, which has arguments of 32 bits"):
        merge_profiles(profile, simple(arches=(Arch.X86,)), X86)


@pytest.mark.parametrize("combine", [merge_profiles, intersect_profiles])
def test_written_values_are_not_truncated(combine: Callable[..., CombinedProfile]) -> None:
    """Libseccomp truncates it for x86 to `> 0xffffffff`, never true; `>= 2**32` is always true."""
    above = Rule(("kill",), "SCMP_ACT_ALLOW", args=(Arg(1, Operator.GT, 0xFFFFFFFF),))
    profile = simple(above, arches=(Arch.X86,))
    assert combine(profile, profile, X86).profile.rules == (above,)


def test_a_range_that_falls_into_too_many_pieces_is_refused() -> None:
    most = (1 << 64) - 2
    low = Rule(("kill",), "SCMP_ACT_ALLOW", args=(Arg(0, Operator.GE, 1), Arg(1, Operator.GE, 1)))
    high = Rule(
        ("kill",), "SCMP_ACT_ALLOW", args=(Arg(0, Operator.LE, most), Arg(1, Operator.LE, most))
    )
    with pytest.raises(SeclatchError, match=r"rules for kill: .* more than 256 cases") as no:
        intersect_profiles(simple(low), simple(high), X86)
    assert "change one of the two rules" in no.value.remedy


def test_combining_is_bounded() -> None:
    masks = [
        Rule(("ioctl",), "SCMP_ACT_ALLOW", args=(Arg(index, Operator.MASKED_EQ, 3 << n, 1 << n),))
        for index in (1, 2)
        for n in range(50)
    ]
    with pytest.raises(SeclatchError, match=r"rules for ioctl: .* more than 256 cases"):
        merge_profiles(simple(*masks), simple(*masks[1:]), X86)


def test_values_truncated_by_a_narrower_abi() -> None:
    """On x86-64 the two have nothing in common, on x86 both are `arg0 == 5`."""
    one, other = (
        simple(
            Rule(("kill",), "SCMP_ACT_ALLOW", args=(Arg(0, Operator.EQ, value),)),
            arches=(Arch.X86,),
        )
        for value in (5, (1 << 32) + 5)
    )
    with pytest.raises(SeclatchError, match="on x86, which has arguments of 32 bits"):
        intersect_profiles(one, other, X86)
    alone = [replace(profile, architectures=()) for profile in (one, other)]
    assert (
        read_meaning(intersect_profiles(*alone, X86).profile, X86).unconditional("kill") is not None
    )
    union = merge_profiles(one, other, X86).profile
    assert len(read_meaning(union, X86).clauses("kill")) == 2


# Comparisons whose combinations can all be expressed, so that the laws are tested and not refusals.
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
        not any(
            next(list_overlaps(clauses), None)
            for clauses in read_meaning(profile, X86).calls.values()
        )
    )
)


def same(left: CombinedProfile, right: CombinedProfile) -> bool:
    return not compare_profiles(left.profile, right.profile, X86)


@given(small, small)
def test_verdicts_are_the_more_permissive_and_the_stricter(left: Profile, right: Profile) -> None:
    one, other = read_meaning(left, X86), read_meaning(right, X86)
    union = read_meaning(merge_profiles(left, right, X86).profile, X86)
    common = read_meaning(intersect_profiles(left, right, X86).profile, X86)
    for name in ("read", "socket", "clone", "mkdir"):
        for values in list_edge_points([*one.clauses(name), *other.clauses(name)]):
            pair = one.verdict(name, values), other.verdict(name, values)
            order = [(action.kind.precedence, -action.data) for action in pair]
            assert union.verdict(name, values) == pair[order.index(max(order))]
            assert common.verdict(name, values) == pair[order.index(min(order))]


@given(small, small)
def test_results_do_not_depend_on_libseccomps_order(left: Profile, right: Profile) -> None:
    for combined in (merge_profiles(left, right, X86), intersect_profiles(left, right, X86)):
        meaning = read_meaning(combined.profile, X86)
        assert not any(next(list_overlaps(c), None) for c in meaning.calls.values())
        assert not [idle for idle in meaning.idle if idle.fate.name != "REPEATED"]


@given(small, small, small)
@settings(suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow], deadline=None)
def test_laws(one: Profile, other: Profile, third: Profile) -> None:
    for operation, dual in (
        (merge_profiles, intersect_profiles),
        (intersect_profiles, merge_profiles),
    ):
        assert not compare_profiles(operation(one, one, X86).profile, one, X86)
        assert same(operation(one, other, X86), operation(other, one, X86))
        both = operation(one, other, X86).profile
        assert same(
            operation(both, third, X86),
            operation(one, operation(other, third, X86).profile, X86),
        )
        assert not compare_profiles(
            operation(one, dual(one, other, X86).profile, X86).profile, one, X86
        )


@settings(max_examples=examples(40))
@given(resolved_profiles(), resolved_profiles())
def test_any_two_profiles_combine_or_give_the_reason(left: Profile, right: Profile) -> None:
    for operation in (merge_profiles, intersect_profiles):
        try:
            combined = operation(left, right, X86)
        except SeclatchError as error:
            assert error.remedy
            continue
        assume(combined.profile.rules)
        assert read_meaning(combined.profile, X86).default in (left.default, right.default)


def test_overlapping_conditions_follow_libseccomp_s_order() -> None:
    """personality(0) is denied by the compiled filter; a first-match reading would allow it."""
    wide = Rule(("personality",), "SCMP_ACT_ALLOW", args=(Arg(0, Operator.LT, 8),))
    narrow = Rule(("personality",), "SCMP_ACT_ERRNO", errno=5, args=(Arg(0, Operator.LT, 4),))
    profile = simple(wide, narrow)
    for combine in (merge_profiles, intersect_profiles):
        combined = combine(profile, profile, X86)
        assert not compare_profiles(combined.profile, profile, X86)
        assert not compare_profiles(
            combined.profile, combine(profile, combined.profile, X86).profile, X86
        )
        (warning,) = combined.warnings
        assert (
            f"of overlapping conditions those count that libseccomp {format_version()}" in warning
        )
        clauses = read_meaning(combined.profile, X86).clauses("personality")
        assert clauses and not next(list_overlaps(clauses), None)
    assert not compare_profiles(profile, profile, X86)
    other = simple(narrow, wide)
    answers = []
    for each in (profile, other):
        code = compile_profile(each, runtime=Runtime.CRUN, native=X86).code
        judge = CallEvaluator(Filter.from_bytes(code))
        calls = (SeccompData(X86.audit, 135, (value, 0, 0, 0, 0, 0)) for value in range(10))
        answers.append([judge.value(call) for call in calls])
    assert bool(compare_profiles(profile, other, X86)) == (answers[0] != answers[1])
    (change,) = compare_profiles(profile, simple(wide), X86).changes
    assert change.effect is CallEffect.ALLOWED
    assert change.example[0] < 4


def test_masks_beside_equalities_are_not_called_equal() -> None:
    """7 is allowed by the mask alone, and lies between the edges of both."""
    top = (1 << 64) - 1
    equal = [
        Rule(("personality",), "SCMP_ACT_ALLOW", args=(Arg(0, Operator.EQ, value),))
        for value in (5, top)
    ]
    masked = Rule(("personality",), "SCMP_ACT_ALLOW", args=(Arg(0, Operator.MASKED_EQ, 5, 5),))
    assert compare_profiles(simple(*equal), simple(*equal, masked), X86)


@pytest.mark.parametrize("operation", [merge_profiles, intersect_profiles])
def test_fields_that_combining_drops_are_reported(
    operation: Callable[..., CombinedProfile],
) -> None:
    flags = ("SECCOMP_FILTER_FLAG_LOG",)
    notify = replace(simple(), flags=flags, listener_path="/run/a", listener_metadata="m")
    alike = operation(notify, notify, X86)
    assert alike.warnings == ()
    kept = alike.profile
    assert (kept.flags, kept.listener_path, kept.listener_metadata) == (flags, "/run/a", "m")
    other = replace(simple(), listener_path="/run/b")
    for left, right in ((notify, other), (other, notify)):
        combined = operation(left, right, X86)
        text = "\n".join(combined.warnings)
        for word in ("SECCOMP_FILTER_FLAG_LOG", "'/run/a'", "'/run/b'", "listenerMetadata"):
            assert word in text
        left_out = combined.profile
        assert (left_out.flags, left_out.listener_path, left_out.listener_metadata) == (
            None,
            "",
            "",
        )


def test_one_budget_is_shared_by_all_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Profiles that are hard at every call take their time once, not 300 times."""
    one, other = (
        simple(
            Rule(("read", "write"), "SCMP_ACT_ALLOW", args=(Arg(0, Operator.GE, value),)),
            Rule(("read", "write"), "SCMP_ACT_LOG", args=(Arg(1, Operator.GE, value),)),
        )
        for value in (1, 2)
    )
    assert {change.effect for change in compare_profiles(one, other, X86).changes} == {
        CallEffect.DENIED
    }
    monkeypatch.setattr(diff_profiles, "MAX_STEPS", 30)
    effects = {change.name: change.effect for change in compare_profiles(one, other, X86).changes}
    assert effects["write"] is CallEffect.UNDECIDED


def test_comparisons_are_budgeted_for_all_calls_too(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = (
        simple(
            *(
                Rule(
                    (name,), "SCMP_ACT_ALLOW", args=(Arg(0, Operator.GE, value), Arg(1, op, value))
                )
                for value, name in enumerate(("read", "write"), first)
                for op in (Operator.GE, Operator.NE)
            )
        )
        for first in (1, 3)
    )
    assert CallEffect.UNDECIDED not in {
        change.effect for change in compare_profiles(one, other, X86).changes
    }
    monkeypatch.setattr(diff_profiles, "MAX_COMPARISONS", 60)
    monkeypatch.setattr(diff_profiles, "MAX_STEPS", 3)
    effects = {change.name: change.effect for change in compare_profiles(one, other, X86).changes}
    assert effects["read"] is not CallEffect.UNDECIDED
    assert effects["write"] is CallEffect.UNDECIDED


@pytest.mark.parametrize("action", ["SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"])
def test_a_call_that_is_made_through_another_is_compared_by_what_both_rules_do(action: str) -> None:
    """i386's recv is socketcall(10): where socketcall has that action, a rule for it adds nothing.

    Found by a diff that reported recv as newly allowed between two equal programs.
    """
    other = "SCMP_ACT_ERRNO" if action == "SCMP_ACT_ALLOW" else "SCMP_ACT_ALLOW"
    through = simple(Rule(("socketcall",), action), default=other, arches=(Arch.X86,))
    both = simple(Rule(("socketcall", "recv"), action), default=other, arches=(Arch.X86,))
    alone = simple(Rule(("recv",), action), default=other, arches=(Arch.X86,))
    neither = simple(Rule(("read",), other), default=other, arches=(Arch.X86,))
    codes = {compile_profile(one, runtime=Runtime.CRUN).code for one in (through, both)}
    assert len(codes) == 1
    assert not compare_profiles(through, both, X86)
    assert not compare_profiles(both, through, X86)
    changed = [one.name for one in compare_profiles(alone, both, X86).changes]
    assert changed == ["socketcall"]
    assert [one.name for one in compare_profiles(neither, alone, X86).changes] == ["recv"]
