"""Decompiled rules are exactly equivalent to the programs."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings

from seclatch.errors import SeclatchError
from seclatch.filter.boundary_calls import list_boundary_calls
from seclatch.filter.call_table import MAX_COMPARISONS
from seclatch.filter.classic_bpf import opcode as op
from seclatch.filter.decompile import decompile_filter
from seclatch.filter.evaluate_calls import CallEvaluator
from seclatch.model.arch import Arch
from seclatch.model.filter import Filter, Instruction
from seclatch.model.profile.rule_match import find_matching_rules
from seclatch.model.syscall import load_syscalls
from seclatch.profile.compile.compile_profile import Runtime, compile_profile
from tests.examples import examples
from tests.oracle import express_action, numbers
from tests.strategies import profiles

NAMES = ("getppid", "read", "personality", "socket", "open")


@settings(max_examples=examples(40), deadline=None, suppress_health_check=list(HealthCheck))
@given(profiles)
def test_decompiled_rules_hold_exactly_where_the_program_acts(profile: Any) -> None:
    # Evaluated by `match`, not compiled again: libseccomp 2.6.0 miscompiles some sets of rules.
    try:
        code = compile_profile(profile, runtime=Runtime.LIBSECCOMP).code
    except SeclatchError:
        assume(False)
    program = Filter.from_bytes(code)
    evaluator = CallEvaluator(program)
    found = decompile_filter(program)
    kept = {(one.arch, one.calls) for one in found.kept}
    for rebuilt in found.profiles:
        for arch in rebuilt.architectures:
            for call in list_boundary_calls(program, arch, numbers(arch, NAMES), 200):
                syscall = load_syscalls(arch).at(call.number)
                rules = {
                    rule.effect for _, rule in find_matching_rules(rebuilt, syscall, call.args)
                }
                if (arch.title, syscall.name) in kept:
                    continue
                wanted = express_action(evaluator.value(call))
                assert (rules or {rebuilt.default}) == {wanted}, (arch, syscall, call)


def test_all_calls_share_one_budget() -> None:
    """A program that is hard for every call takes its time once, not 400 times."""
    tests = [
        one
        for n in range(300)
        for one in (
            Instruction(op.LD | op.ABS, 0, 0, 16 + 4 * (n % 12)),
            Instruction(op.JMP | op.JGE, 1, 0, n * 7919),
            Instruction(op.RET_K, 0, 0, 0x50001 + n),
        )
    ]
    start = [
        Instruction(op.LD | op.ABS, 0, 0, 4),
        Instruction(op.JMP | op.JEQ, 1, 0, 0xC000003E),
        Instruction(op.RET_K, 0, 0, 0),
    ]
    program = Filter((*start, *tests, Instruction(op.RET_K, 0, 0, 0x7FFF0000)))
    kept = [one.reason for one in decompile_filter(program).kept]
    assert any(
        "comparisons" in reason or "can be expressed by no rule" in reason for reason in kept
    )
    assert sum("more paths" in reason for reason in kept) > 100


def counting(bits: int, arches: tuple[int, ...]) -> Filter:
    """Return a program with another verdict for each value of so many bits of the arguments."""
    ends = [Instruction(op.JMP | op.JEQ, len(arches) - n, 0, one) for n, one in enumerate(arches)]
    start = [Instruction(op.LD | op.ABS, 0, 0, 4), *ends, Instruction(op.RET_K, 0, 0, 0)]
    sums = [
        one
        for n in range(bits)
        for one in (
            Instruction(op.LD | op.ABS, 0, 0, 16 + 8 * (n % 6)),
            Instruction(op.JMP | op.JSET, 0, 3, 1 << n // 6),
            Instruction(op.TXA, 0, 0, 0),
            Instruction(op.ALU | op.ADD, 0, 0, 1 << n),
            Instruction(op.TAX, 0, 0, 0),
        )
    ]
    end = [
        Instruction(op.TXA, 0, 0, 0),
        Instruction(op.ALU | op.OR, 0, 0, 0x50000),
        Instruction(op.RET_A, 0, 0, 0),
    ]
    return Filter((*start, Instruction(op.LDX | op.IMM, 0, 0, 0), *sums, *end))


def test_no_call_gets_more_comparisons_than_a_profile_may_have() -> None:
    """400 bytes of program would be 1024 rules for every call, each then compared with each."""
    found = decompile_filter(counting(10, (0xC000003E, 0x40000003)))
    most: Counter[str] = Counter()
    for profile in found.profiles:
        for rule in profile.rules:
            most.update(dict.fromkeys(rule.names, len(rule.args)))
    assert max(most.values(), default=0) <= MAX_COMPARISONS
    assert {"read", "openat"} <= {one.calls for one in found.kept}, "said, not left out"
    assert len(found.kept) < 3 * 600, "one sentence for a call, not one for each condition"


def test_all_architectures_share_one_budget_of_instructions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Seven architectures together may take as many instructions as one."""
    monkeypatch.setattr(f"{decompile_filter.__module__}.MAX_INSTRUCTIONS", 10_000)
    little = tuple(arch.audit for arch in Arch if arch.little and arch is not Arch.X32)
    decompile_filter(counting(8, little[:1]))
    with pytest.raises(SeclatchError, match="more paths"):
        decompile_filter(counting(8, little * 2))
