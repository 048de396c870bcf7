"""Compare the verifier and the interpreter with the running kernel."""

from __future__ import annotations

import errno
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seclatch.filter.classic_bpf import opcode as op
from seclatch.filter.classic_bpf.simulate import simulate_filter, simulate_stack
from seclatch.filter.classic_bpf.verify import (
    MAX_INSTRUCTIONS,
    MAX_PATH,
    count_loaded_instructions,
    find_refusal,
    find_stack_refusal,
)
from seclatch.model.action import ActionKind
from seclatch.model.arch import Arch
from seclatch.model.filter import Filter, Instruction
from seclatch.model.seccomp_data import SeccompData
from seclatch.model.syscall import load_syscalls
from tests.kernel.probe import Answer, Case, Outcome, agrees, ask
from tests.strategies import nearly_programs, programs, words

NATIVE = Arch.native()
GETPPID = load_syscalls(NATIVE).numbers["getppid"]
# Numbers without a call in any kernel, and getppid, which ignores its arguments.
HARMLESS = (GETPPID, GETPPID, GETPPID, 1023, 0xFFFFFFFF, 0x7FFFFFFF)
ALLOW = Instruction(op.RET_K, 0, 0, ActionKind.ALLOW.value)

slow = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=25)
requests = st.tuples(st.sampled_from(HARMLESS), st.tuples(*[words] * 6), st.booleans())


def call_of(case: Case, answer: Answer) -> SeccompData:
    """Return the call as the kernel's seccomp_data showed it to the filter."""
    if case.compat:
        args = tuple(arg & 0xFFFFFFFF for arg in case.args)
        return SeccompData(Arch.X86.audit, case.number, args, answer.pointer)
    return SeccompData(NATIVE.audit, case.number, tuple(case.args), answer.pointer)


def compare(prober: Path, cases: list[Case]) -> None:
    bare = [Case((), case.number, case.args, case.compat) for case in cases]
    answers = ask(prober, cases + bare)
    for case, answer, without in zip(cases, answers, answers[len(cases) :], strict=False):
        # A killed thread cannot report its instruction pointer: the bare run has the same code at
        # the same address (one executable, forked), so its pointer is the call's.
        verdict = simulate_stack(case.filters, call_of(case, without))
        assert agrees(verdict, answer, without), (case, verdict, answer, without)


@slow
@given(st.lists(st.tuples(programs(), requests), min_size=20, max_size=20))
def test_interpreter_agrees_with_the_kernel(prober: Path, drawn: Any) -> None:
    can_compat = NATIVE is Arch.X86_64
    compare(
        prober,
        [
            Case((program,), number, args, compat and can_compat)
            for program, (number, args, compat) in drawn
        ],
    )


def load_of(instructions: list[Instruction]) -> Filter:
    return Filter(tuple(instructions))


@slow
@given(st.lists(nearly_programs(), min_size=20, max_size=20))
def test_verifier_agrees_with_the_kernel(prober: Path, drawn: Any) -> None:
    for program, answer in zip(
        drawn, ask(prober, [Case((one,), GETPPID) for one in drawn]), strict=True
    ):
        found = find_refusal(program)
        if found is None:
            assert answer.outcome is not Outcome.REFUSED, program
        else:
            assert (answer.outcome, answer.data) == (Outcome.REFUSED, found.errno), found


RET = ALLOW
BROKEN = [
    ([], "0 instructions"),
    ([RET] * (MAX_INSTRUCTIONS + 1), "4097 instructions"),
    ([Instruction(0xFFFF, 0, 0, 0), RET], "unknown operation code 0xffff"),
    ([Instruction(op.LD | op.IMM, 0, 0, 0)], "the last instruction is no return"),
    ([Instruction(op.JMP | op.JA, 0, 0, 1), RET], "jump over 1 instructions"),
    ([Instruction(op.JMP | op.JA, 0, 0, 0xFFFFFFFF), RET], "jump over 4294967295"),
    ([Instruction(op.JMP | op.JEQ, 0, 1, 0), RET], "jump over 1 instructions"),
    ([Instruction(op.ALU | op.DIV, 0, 0, 0), RET], "division by the constant 0"),
    ([Instruction(op.ALU | op.LSH, 0, 0, 32), RET], "shift by 32 bits"),
    ([Instruction(op.ST, 0, 0, 16), RET], "M[16]"),
    ([Instruction(op.LD | op.MEM, 0, 0, 3), RET], "M[3] is read before"),
    ([Instruction(op.ALU | op.MOD, 0, 0, 3), RET], "for sockets only"),
    ([Instruction(op.LD | op.IND, 0, 0, 0), RET], "for sockets only"),
    ([Instruction(op.LD | op.ABS, 0, 0, 64), RET], "load at offset 64"),
    ([Instruction(op.LD | op.ABS, 0, 0, 2), RET], "load at offset 2"),
    ([Instruction(op.LD | op.ABS, 0, 0, 0xFFFFF000), RET], "load at offset 4294963200"),
    ([Instruction(op.LD | op.ABS, 0, 0, 0xFFFFF001), RET], "unknown ancillary data"),
]


@pytest.mark.parametrize(("code", "rule"), BROKEN, ids=[rule for _, rule in BROKEN])
def test_each_rule_is_enforced_by_the_kernel(prober: Path, code: int, rule: Any) -> None:
    found = find_refusal(load_of(code))
    assert found is not None and rule in str(found)
    (answer,) = ask(prober, [Case((load_of(code),), GETPPID)])
    assert (answer.outcome, answer.data) == (Outcome.REFUSED, errno.EINVAL)


def test_longest_program_loads(prober: Path) -> None:
    program = load_of([RET] * MAX_INSTRUCTIONS)
    assert find_refusal(program) is None
    (answer,) = ask(prober, [Case((program,), GETPPID)])
    assert answer.outcome is Outcome.RETURNED


def padding(length: int) -> Filter:
    """Make a program that the kernel keeps as `length` instructions: constant loads, one return."""
    return load_of([Instruction(op.LD | op.IMM, 0, 0, 0)] * (length - 5) + [RET])


@slow
@given(st.lists(programs(), min_size=5, max_size=5))
def test_path_limit_equals_the_kernel_s(prober: Path, drawn: Any) -> None:
    cases = []
    for program in drawn:
        # Fill up so that the program, loaded last, just fits; then with one instruction more.
        many, rest = divmod(MAX_PATH - count_loaded_instructions(program) - 4 - 5, 4004)
        stack = [*[padding(4000)] * many, padding(rest + 5), program]
        assert find_stack_refusal(stack) is None
        over = [padding(4001), *stack[1:]]
        found = find_stack_refusal(over)
        assert found is not None and found.errno == errno.ENOMEM
        cases += [Case(stack, GETPPID), Case(over, GETPPID)]
    answers = ask(prober, cases)
    assert all(answer.outcome is not Outcome.REFUSED for answer in answers[::2])
    for answer in answers[1::2]:
        assert (answer.outcome, answer.data) == (Outcome.REFUSED, errno.ENOMEM)


VALUES = [kind.value | data for kind in ActionKind for data in (0, 5, 9)] + [0x00010000, 0x7FFD0000]


@pytest.mark.parametrize("newer", VALUES, ids=hex)
def test_stacked_filters_have_the_kernels_precedence(prober: Path, newer: Any) -> Any:
    def answering(value: int) -> Filter:
        return load_of(
            [
                Instruction(op.LD | op.ABS, 0, 0, 0),
                Instruction(op.JMP | op.JEQ, 0, 1, GETPPID),
                Instruction(op.RET_K, 0, 0, value),
                ALLOW,
            ]
        )

    compare(prober, [Case((answering(older), answering(newer)), GETPPID) for older in VALUES])


def test_division_by_a_zero_register_kills_the_thread(prober: Path) -> None:
    program = load_of([Instruction(op.ALU | op.DIV | op.X, 0, 0, 0), ALLOW])
    assert find_refusal(program) is None
    assert (
        simulate_filter(program, SeccompData(NATIVE.audit, GETPPID)).action.kind
        is ActionKind.KILL_THREAD
    )
    (answer,) = ask(prober, [Case((program,), GETPPID)])
    assert answer.outcome is Outcome.THREAD_KILLED


@pytest.mark.skipif(NATIVE is not Arch.X86_64, reason="uretprobe is x86-64's")
def test_the_kernel_does_not_filter_uretprobe(prober: Path) -> None:
    # Linux 6.14 on: uprobes must work in sandboxes. Outside a return probe the call is SIGILL.
    program = load_of([Instruction(op.RET_K, 0, 0, ActionKind.ERRNO.value | 99)])
    answer, bare = ask(prober, [Case((program,), 335), Case((), 335)])
    if bare.outcome is Outcome.SIGNALLED and answer.outcome is Outcome.SIGNALLED:
        assert answer.data == bare.data == signal.SIGILL
    else:
        assert (answer.outcome, answer.result) == (Outcome.RETURNED, -99)


EDGES = (0, 1, 5, 31, 32, 33, 63, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def with_registers(*code: Instruction) -> list[Instruction]:
    """Load the first argument's low word into A and the second's into X, then run `code`."""
    low = 0 if sys.byteorder == "little" else 4
    return [
        Instruction(op.LD | op.ABS, 0, 0, 24 + low),
        Instruction(op.TAX, 0, 0, 0),
        Instruction(op.LD | op.ABS, 0, 0, 16 + low),
        *code,
    ]


def edge_cases(program: Filter) -> list[Case]:
    return [Case((program,), GETPPID, (a, x)) for a in EDGES for x in EDGES]


@pytest.mark.parametrize("operation", sorted(op.ARITHMETIC), ids=hex)
def test_arithmetic_equals_the_kernel_s_at_every_edge(prober: Path, operation: Any) -> None:
    code = op.ALU | operation | (0 if operation == op.NEG else op.X)
    for shift in (0, 12, 24):  # an errno carries 12 bits
        program = load_of(
            with_registers(
                Instruction(code, 0, 0, 0),
                Instruction(op.ALU | op.RSH, 0, 0, shift),
                Instruction(op.ALU | op.AND, 0, 0, 0xFFF),
                Instruction(op.ALU | op.OR, 0, 0, ActionKind.ERRNO.value),
                Instruction(op.RET_A, 0, 0, 0),
            )
        )
        compare(prober, edge_cases(program))


@pytest.mark.parametrize("operation", sorted(op.COMPARISON), ids=hex)
def test_comparisons_equal_the_kernel_s_at_every_edge(prober: Path, operation: Any) -> None:
    outcomes = (
        Instruction(op.RET_K, 0, 0, ActionKind.ERRNO.value | 1),
        Instruction(op.RET_K, 0, 0, ActionKind.ERRNO.value | 2),
    )
    by_register = Instruction(op.JMP | operation | op.X, 0, 1, 0)
    compare(prober, edge_cases(load_of(with_registers(by_register, *outcomes))))
    for k in EDGES:
        by_constant = Instruction(op.JMP | operation, 0, 1, k)
        compare(prober, edge_cases(load_of(with_registers(by_constant, *outcomes)))[::10])
