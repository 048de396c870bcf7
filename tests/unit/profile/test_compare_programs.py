"""The comparison of rules against the programs compiled from them.

It answers `same` if and only if both programs answer alike to every call, at the edges of
everything that either tests.
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from seclatch.errors import SeclatchError
from seclatch.filter.boundary_calls import list_boundary_calls
from seclatch.filter.call_table import list_unnamed_numbers
from seclatch.filter.evaluate_calls import CallEvaluator
from seclatch.model.action import Action, ActionKind, Operator
from seclatch.model.arch import Arch
from seclatch.model.filter import Filter
from seclatch.model.profile.profile import Arg, Profile, Rule
from seclatch.model.seccomp_data import SeccompData
from seclatch.model.syscall import load_syscalls
from seclatch.profile.compile.compile_profile import Runtime, compile_profile
from seclatch.profile.meaning import rule_comparison
from seclatch.profile.meaning.compared_side import is_ambiguous, make_side
from seclatch.profile.meaning.diff_profiles import CallEffect, diff_sides
from seclatch.profile.meaning.libseccomp_deviation import find_deviations
from seclatch.profile.meaning.merge_profiles import (
    CombinedProfile,
    intersect_profiles,
    merge_profiles,
)
from seclatch.profile.meaning.rule_meaning import ProfileMeaning, read_meaning
from seclatch.profile.parse.profile_source import ProfileSource
from seclatch.profile.parse.raw_program import recover_profile
from tests.examples import examples

X86 = Arch.X86_64
NAMES = ["read", "openat", "personality", "mkdirat", "clone3"]
VALUES = [0, 1, 2, 5, 7, 8, 0xFFFFFFFF, 1 << 32, (1 << 32) + 5, (1 << 64) - 1]
EXACT = [Operator.EQ, Operator.MASKED_EQ]

QUICK: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "phases": [Phase.explicit, Phase.reuse, Phase.generate],  # shrinking takes minutes here
}

values = st.sampled_from(VALUES)
ordered = st.builds(Arg, st.integers(0, 1), st.sampled_from(Operator), values)
masked = st.builds(Arg, st.integers(0, 1), st.sampled_from(EXACT), values, values)
arguments = st.lists(ordered | masked, max_size=2, unique_by=lambda arg: arg.index).map(tuple)
rules = st.builds(
    Rule,
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True).map(tuple),
    st.sampled_from(["SCMP_ACT_ALLOW", "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_LOG"]),
    st.sampled_from([1, 38]),
    arguments,
).map(lambda rule: rule if rule.effect.kind is ActionKind.ERRNO else replace(rule, errno=None))
profiles = st.builds(
    Profile,
    st.sampled_from(["SCMP_ACT_ERRNO", "SCMP_ACT_ERRNO", "SCMP_ACT_ALLOW", "SCMP_ACT_KILL"]),
    st.lists(rules, min_size=1, max_size=4).map(tuple),
    st.sampled_from([(), (Arch.X86,), (Arch.X86, Arch.X32)]),
)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Profile, Profile]:
    """Draw two profiles that often are equivalent, but written differently."""
    one = draw(profiles)
    written = list(one.rules)
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(written) - 1))
        written[at : at + 1] = _rewritten(written[at], draw)
    return one, replace(one, rules=tuple(draw(st.permutations(written))))


def _rewritten(rule: Rule, draw: st.DrawFn) -> list[Rule]:
    """Rewrite rules, mostly without a change of meaning; some rewrites change a little."""
    how = draw(st.sampled_from([*_OF_RULE, *_OF_ARGUMENT]))
    if how in _OF_RULE:
        return _OF_RULE[how](rule, draw)
    if not rule.args:
        return [rule]
    first, *others = rule.args
    return [replace(rule, args=(*_OF_ARGUMENT[how](first, draw), *others))]


def _split(rule: Rule, draw: st.DrawFn) -> list[Rule]:
    """Split a rule into one below a value of an argument, and one from it on."""
    index, value = draw(st.integers(0, 2)), draw(values)
    if any(arg.index == index for arg in rule.args):
        return [rule]
    halves = [Arg(index, op, value) for op in (Operator.LT, Operator.GE)]
    return [replace(rule, args=(*rule.args, half)) for half in halves]


def _mask(arg: Arg, _: st.DrawFn) -> list[Arg]:
    """Write a mask in another form."""
    if arg.operator is Operator.EQ:
        return [Arg(arg.index, Operator.MASKED_EQ, (1 << 64) - 1, arg.value)]
    if arg.operator is Operator.MASKED_EQ:
        return [replace(arg, value_two=arg.value_two ^ (~arg.value & 0xFF))]
    return [arg]


_OF_RULE: dict[str, Callable[[Rule, st.DrawFn], list[Rule]]] = {
    "split": _split,
    "twice": lambda rule, _: [rule, rule],
    "name": lambda rule, draw: [
        replace(rule, names=(draw(st.sampled_from(NAMES)), *rule.names[1:]))
    ],
}
_OF_ARGUMENT: dict[str, Callable[[Arg, st.DrawFn], list[Arg]]] = {
    "mask": _mask,
    "drop": lambda _arg, _draw: [],
    "value": lambda arg, draw: [replace(arg, value=draw(values))],
}


def compiled(profile: Profile, runtime: Runtime) -> Filter:
    return Filter.from_bytes(compile_profile(profile, runtime=runtime, native=X86).code)


def rightly(profile: Profile, runtime: Runtime) -> Filter:
    """Compile the profile; skip it if libseccomp refuses or miscompiles it.

    It miscompiles nothing that `deviations` does not report, and each report is correct.
    """
    both = {bits: read_meaning(profile, X86, bits) for bits in (32, 64)}
    try:
        program = compiled(profile, runtime)
    except SeclatchError:
        assume(False)
    judge = CallEvaluator(program)
    wrong = {}
    for call, args, *answers in find_deviations(profile, X86, program):
        made = judge.value(SeccompData(call.arch.audit, call.number, args))
        assert [evaluate_rules(both[call.arch.bits], call.name, call.arch, args).ret, made] == [
            action.ret for action in answers
        ]
        wrong[call.arch, call.name] = args
    for arch, name in product(both[64].arches, both[64].calls):
        meaning = both[arch.bits]
        if not is_ambiguous(tuple(meaning.clauses(name)), arch) and (arch, name) not in wrong:
            for each in list_boundary_calls(program, arch, [load_syscalls(arch).numbers[name]]):
                right = evaluate_rules(meaning, name, arch, each.args).ret
                assert judge.value(each) == right, (arch, each)
    assume(not wrong)
    return program


def evaluate_rules(meaning: ProfileMeaning, name: str, arch: Arch, args: tuple[int, ...]) -> Action:
    """Return the rules' answer, with the arguments as wide as the ABI's."""
    for clause in meaning.clauses(name):
        fitted = [rule_comparison.fit_width(arg, arch.bits) for arg in clause.args]
        if all(
            rule_comparison.matches_value(arg, args[arg.index] % (1 << arch.bits)) for arg in fitted
        ):
            return clause.action
    return meaning.default


def answers(one: Filter, other: Filter, arches: tuple[Arch, ...]) -> set[tuple[Action, Action]]:
    """Return every pair of answers."""
    judges = CallEvaluator(one), CallEvaluator(other)
    found = set()
    for arch in arches:
        numbers = [load_syscalls(arch).numbers[name] for name in NAMES]
        calls = [call for each in (one, other) for call in list_boundary_calls(each, arch, numbers)]
        edges = {
            number for ends in list_unnamed_numbers(arch) for number in ends if number < 1 << 31
        }
        calls += [
            SeccompData(arch.audit, number) for number in edges | load_syscalls(arch).names.keys()
        ]
        for call in calls:
            left, right = (Action.from_ret(judge.value(call)) for judge in judges)
            found.add((left, right))
    return found


@pytest.mark.parametrize("runtime", [Runtime.RUNC, Runtime.CRUN])
@given(pairs())
@settings(max_examples=examples(80), **QUICK)
def test_same_rules_mean_same_programs(runtime: Runtime, pair: tuple[Profile, Profile]) -> None:
    one, other = pair
    programs = [rightly(profile, runtime) for profile in pair]
    arches = (X86, *one.architectures)
    differing = {(a, b) for a, b in answers(*programs, arches) if a != b}
    found = diff_sides(make_side(one, X86, runtime), make_side(other, X86, runtime))
    assert bool(found) == bool(differing), (differing, found)
    effects = {change.effect for change in found.changes}
    assert CallEffect.UNDECIDED not in effects
    gained = any(b.kind.executes and not a.kind.executes for a, b in differing)
    assert gained == bool(effects & {CallEffect.ALLOWED, CallEffect.MIXED})
    lost = any(a.kind.executes and not b.kind.executes for a, b in differing)
    assert lost == bool(effects & {CallEffect.DENIED, CallEffect.MIXED})


@pytest.mark.parametrize("operation", [merge_profiles, intersect_profiles])
@given(profiles, profiles)
@settings(max_examples=examples(40), **QUICK)
def test_combined_programs(
    operation: Callable[..., CombinedProfile], one: Profile, other: Profile
) -> None:
    """Overlaps and ranges included: at every edge the answer of one program or of the other."""
    other = replace(other, architectures=one.architectures)
    try:
        found = operation(one, other, X86)
        combined = found.profile
        programs = [compiled(profile, Runtime.LIBSECCOMP) for profile in (one, other, combined)]
    except SeclatchError:
        assume(False)
    arches = (X86, *one.architectures)
    wrong = {
        (each.call.arch, each.call.name)
        for profile, program in zip((one, other, combined), programs, strict=True)
        for each in find_deviations(profile, X86, program)
    }
    judges = [CallEvaluator(program) for program in programs]
    better = max if operation is merge_profiles else min
    for arch, name in product(arches, NAMES):
        if (arch, name) in wrong or f"{name}: where it is refused" in "\n".join(found.warnings):
            continue
        for program in programs:
            for call in list_boundary_calls(
                program, arch, [load_syscalls(arch).numbers[name]], 600
            ):
                actions = [Action.from_ret(judge.value(call)) for judge in judges]
                order = [(action.kind.precedence, -action.data) for action in actions]
                assert order[2] == better(order[:2]), (arch, call, actions)


@given(profiles)
@settings(max_examples=examples(40), **QUICK)
def test_a_program_is_equivalent_to_its_profile(profile: Profile) -> None:
    """Decompiled, with runc's stub in it."""
    program = rightly(profile, Runtime.RUNC)
    back = recover_profile(ProfileSource("x", program.to_bytes()), X86)
    assume(set(back.profile.architectures) == {X86, *profile.architectures})
    written = make_side(profile, X86, Runtime.RUNC)
    asked = make_side(back.profile, X86, Runtime.RUNC, back.program, back.beyond)
    assert not diff_sides(written, asked)


def test_a_program_of_many_masks_is_decided() -> None:
    """These two give two hundred rules: the profile is compared with the program."""
    first = (Arg(1, Operator.LE, 0xFFFFFFFF), Arg(0, Operator.GT, 7))
    second = (Arg(0, Operator.MASKED_EQ, (1 << 32) + 5), Arg(1, Operator.MASKED_EQ, 8, 7))
    profile = Profile(
        "SCMP_ACT_ERRNO",
        tuple(Rule(("personality",), "SCMP_ACT_ERRNO", 38, args) for args in (first, second)),
    )
    back = recover_profile(ProfileSource("x", compiled(profile, Runtime.RUNC).to_bytes()), X86)
    asked = make_side(back.profile, X86, Runtime.RUNC, back.program, back.beyond)
    assert len(back.profile.rules) > 100
    assert not diff_sides(make_side(profile, X86, Runtime.RUNC), asked)
    fewer = make_side(replace(profile, rules=profile.rules[:1]), X86, Runtime.RUNC)
    (change,) = diff_sides(fewer, asked).changes
    assert change.effect is CallEffect.ACTION


def test_programs_beyond_rules_are_compared() -> None:
    """`arg0 != 0` but for one value of the low half: too many cases for rules."""
    low = Arg(0, Operator.MASKED_EQ, 0xFFFFFFFF, 8)
    some = Rule(("clone3",), "SCMP_ACT_ALLOW", args=(low, Arg(1, Operator.GT, 2)))
    rest = Rule(("clone3",), "SCMP_ACT_ALLOW", args=(Arg(0, Operator.NE, 0),))
    profile = Profile("SCMP_ACT_ERRNO", (some, rest))
    back = recover_profile(ProfileSource("x", compiled(profile, Runtime.CRUN).to_bytes()), X86)
    assert ("x86_64", "clone3") in back.beyond
    asked = make_side(back.profile, X86, None, back.program, back.beyond)
    assert not diff_sides(make_side(profile, X86), asked)
    (change,) = diff_sides(make_side(Profile("SCMP_ACT_ERRNO", (some,)), X86), asked).changes
    assert change.effect is CallEffect.ALLOWED
