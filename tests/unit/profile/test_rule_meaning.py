"""How rules for one call combine, compared with libseccomp's program."""

import struct
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seclatch.errors import SeclatchError
from seclatch.model.action import Action, ActionKind, Operator
from seclatch.model.arch import Arch
from seclatch.model.profile.profile import Arg, Profile, Rule, list_alternatives
from seclatch.model.syscall import load_syscalls
from seclatch.profile.compile.compile_profile import Runtime, compile_profile
from seclatch.profile.meaning.clause import (
    Clause,
    cover_all,
    is_fragile,
    list_edge_points,
    list_overlaps,
)
from seclatch.profile.meaning.rule_meaning import IdleReason, ProfileMeaning, read_meaning
from seclatch.system.libseccomp import read_version
from tests.examples import examples
from tests.unit.profile.profiles import resolved_profiles, some_args

ARCH = Arch.native()


def meaning(*rules: Rule, default: str = "SCMP_ACT_KILL") -> ProfileMeaning:
    return read_meaning(Profile(default, rules), ARCH)


IF_TWO = (Arg(0, Operator.EQ, 2),)


def fates(found: ProfileMeaning) -> list[tuple[int, IdleReason, int]]:
    return [(idle.rule, idle.fate, idle.by) for idle in found.idle]


def test_the_first_without_conditions_wins() -> None:
    found = meaning(Rule(("read",), "SCMP_ACT_ALLOW"), Rule(("read",), "SCMP_ACT_ERRNO"))
    assert found.unconditional("read") == Action(ActionKind.ALLOW)
    assert fates(found) == [(1, IdleReason.OVERRULED, 0)]


def test_one_without_conditions_replaces_those_with() -> None:
    found = meaning(
        Rule(("read",), "SCMP_ACT_ERRNO", args=IF_TWO), Rule(("read",), "SCMP_ACT_ALLOW")
    )
    assert found.always_executes("read")
    assert fates(found) == [(0, IdleReason.REPLACED, 1)]


def test_repeated_conflicting_and_redundant_rules() -> None:
    found = meaning(
        Rule(("read",), "SCMP_ACT_ALLOW", args=IF_TWO),
        Rule(("read",), "SCMP_ACT_ALLOW", args=IF_TWO),
        Rule(("read",), "SCMP_ACT_LOG", args=IF_TWO),
        Rule(("write",), "SCMP_ACT_KILL_THREAD"),
    )
    assert fates(found) == [
        (1, IdleReason.REPEATED, 0),
        (2, IdleReason.CONFLICT, 0),
        (3, IdleReason.DEFAULT, -1),
    ]
    assert found.may_execute("read")
    assert not found.always_executes("read")
    assert not found.may_execute("write")


def test_two_conditions_on_one_argument_are_alternatives() -> None:
    args = (Arg(0, Operator.EQ, 2), Arg(0, Operator.EQ, 3), Arg(1, Operator.EQ, 9))
    found = meaning(Rule(("read",), "SCMP_ACT_ALLOW", args=args))
    assert len(found.clauses("read")) == 3


def test_alternatives_that_hold_for_every_value_are_no_condition() -> None:
    args = (Arg(0, Operator.NE, 16), Arg(0, Operator.NE, 3))
    found = meaning(Rule(("read",), "SCMP_ACT_ALLOW", args=args))
    assert found.always_executes("read")
    assert found.unconditional("read") is None  # the program compares it nevertheless
    denied = meaning(Rule(("read",), "SCMP_ACT_ERRNO", args=args), default="SCMP_ACT_ALLOW")
    assert not denied.may_execute("read")


def test_an_impossible_condition_allows_nothing() -> None:
    found = meaning(Rule(("read",), "SCMP_ACT_ALLOW", args=(Arg(0, Operator.LT, 0),)))
    assert not found.may_execute("read")


@given(st.lists(some_args, min_size=1, max_size=4))
def test_cover_agrees_with_every_edge(conditions: list[tuple[Arg, ...]]) -> None:
    """Edges cannot show where a mask intersects other conditions, so one direction is tested."""
    clauses = [
        Clause(args, Action(ActionKind.ALLOW))
        for each in conditions
        for args in list_alternatives(each)
    ]
    missed = [
        v for v in list_edge_points(clauses) if not any(clause.matches(v) for clause in clauses)
    ]
    masked = any(a.operator is Operator.MASKED_EQ for clause in clauses for a in clause.args)
    assert not missed if cover_all(clauses) else missed or masked


BROKEN_MERGE = read_version() < (2, 6, 1)


def unsure(clauses: list[Clause]) -> bool:
    """Return whether libseccomp decides the order, or this version has a known fault."""
    return next(list_overlaps(clauses), None) is not None or (BROKEN_MERGE and is_fragile(clauses))


def ever_unsure(profile: Profile) -> bool:
    """As `unsure`, before a later rule without conditions replaces all: rules are added in turn."""
    firsts = [replace(profile, rules=profile.rules[:n]) for n in range(1, len(profile.rules) + 1)]
    return any(
        unsure(clauses) for each in firsts for clauses in read_meaning(each, ARCH).calls.values()
    )


def run_bpf(code: bytes, number: int, values: tuple[int, ...]) -> int:
    """Run a minimal classic BPF machine: the operations that libseccomp emits, no more."""
    data = struct.pack(
        "<iIQ6Q", number - (1 << 32) if number >> 31 else number, ARCH.audit, 0, *values
    )
    lines = list(struct.iter_unpack("<HBBI", code))
    at = accumulator = 0
    tests = {0x15: int.__eq__, 0x25: int.__gt__, 0x35: int.__ge__}
    while True:
        op, yes, no, k = lines[at]
        at += 1
        if op == 0x20:
            (accumulator,) = struct.unpack_from("<I", data, k)
        elif op == 0x54:
            accumulator &= k
        elif op == 0x06:
            return k
        elif op == 0x05:
            at += k
        else:
            at += yes if tests[op](accumulator, k) else no


@pytest.mark.skipif(ARCH is not Arch.X86_64, reason="the machine above is for x86-64")
@given(resolved_profiles())
@settings(max_examples=examples(300), suppress_health_check=[HealthCheck.too_slow])
def test_meaning_equals_the_compiled_program(profile: Profile) -> None:
    """Every named call at every edge of its conditions, wherever libseccomp's order is known."""
    plain = Profile(profile.default_action, profile.rules, default_errno=profile.default_errno)
    found = read_meaning(plain, ARCH)
    conflict = any(idle.fate is IdleReason.CONFLICT for idle in found.idle)
    try:
        code = compile_profile(plain, runtime=Runtime.LIBSECCOMP).code
    except SeclatchError:
        assert conflict or ever_unsure(plain)
        return
    for name, clauses in found.calls.items():
        if unsure(clauses):
            continue
        for values in list_edge_points(clauses):
            verdict = run_bpf(code, load_syscalls(ARCH).numbers[name], values)
            assert Action.from_ret(verdict) == found.verdict(name, values), (name, values)
