"""Hypothesis strategies for filters and calls, used by unit and kernel tests alike."""

from __future__ import annotations

from hypothesis import strategies as st

from seclatch.filter.classic_bpf import opcode as op
from seclatch.filter.classic_bpf.verify import find_refusal
from seclatch.model.action import ActionKind, Operator
from seclatch.model.arch import Arch
from seclatch.model.filter import Filter, Instruction
from seclatch.model.profile.profile import Arg, Profile, Rule
from seclatch.model.seccomp_data import SeccompData

AUDITS = tuple(arch.audit for arch in (Arch.X86_64, Arch.X86, Arch.AARCH64))
POINTS = (0, 1, 2, 3, 39, 102, 110, 0xFFFF, 0x40000000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)

words = st.one_of(st.sampled_from(POINTS + AUDITS), st.integers(0, 40), st.integers(0, 0xFFFFFFFF))
arguments = st.one_of(
    words, st.builds(lambda high, low: high << 32 | low, words, words), st.integers(0, 2**64 - 1)
)
calls = st.builds(
    SeccompData,
    audit=st.one_of(st.sampled_from(AUDITS), words),
    number=words,
    args=st.tuples(*[arguments] * 6),
    pointer=st.integers(0, 2**64 - 1),
)

_returns = st.one_of(
    st.builds(
        lambda kind, data: kind.value | data,
        st.sampled_from(list(ActionKind)),
        st.sampled_from((0, 1, 13, 38, 133, 4095, 4096, 0xFFFF)),
    ),
    words,  # undefined actions
)


@st.composite
def _instruction(draw: st.DrawFn, left: int) -> Instruction:
    """Draw an instruction that may precede `left` others; scratch loads may still need repair."""
    kind = draw(st.sampled_from("wwwwjjjjjaamr"))
    if kind == "w":
        return Instruction(op.LD | op.ABS, 0, 0, 4 * draw(st.integers(0, 15)))
    if kind == "j" and left > 0:
        hop = st.integers(0, min(left, 8) - 1)
        code = draw(st.sampled_from([op.JMP | op.JA, *sorted(op.CONDITIONAL)]))
        k = draw(hop if code == op.JMP | op.JA else words)
        return Instruction(code, draw(hop), draw(hop), k)
    if kind == "a":
        code = draw(st.sampled_from(sorted(c for c in op.SECCOMP_CODES if c & 7 == op.ALU)))
        k = draw(words)
        shift = code & 0xF0 in (op.LSH, op.RSH) and not code & op.X
        return Instruction(code, 0, 0, k % 32 if shift else k or 1)
    if kind == "r":
        code = draw(st.sampled_from((op.RET_K, op.RET_K, op.RET_K, op.RET_A)))
        return Instruction(code, 0, 0, draw(_returns))
    move = [op.ST, op.STX, op.TAX, op.TXA, op.LD | op.IMM, op.LDX | op.IMM]
    move += [op.LD | op.LEN, op.LDX | op.LEN, op.LD | op.MEM, op.LDX | op.MEM]
    return Instruction(draw(st.sampled_from(move)), 0, 0, draw(st.integers(0, 15)))


@st.composite
def programs(draw: st.DrawFn, most: int = 40) -> Filter:
    """Draw programs that the kernel accepts, with every operation that it permits."""
    length = draw(st.integers(0, most - 1))
    code = [draw(_instruction(left)) for left in range(length, 0, -1)]
    code.append(Instruction(op.RET_K, 0, 0, draw(_returns)))
    program = Filter(tuple(code))
    while (found := find_refusal(program)) is not None:
        # Only a scratch word read before it is written can be wrong: load a constant instead.
        assert found.index is not None and found.check == "check_load_and_stores", found
        code[found.index] = Instruction(code[found.index].code & 7, 0, 0, 7)
        program = Filter(tuple(code))
    return program


@st.composite
def nearly_programs(draw: st.DrawFn) -> Filter:
    """Draw programs with a few fields changed, so that most break exactly one kernel rule."""
    code = list(draw(programs(20)).instructions)
    for _ in range(draw(st.integers(1, 2))):
        index = draw(st.integers(0, len(code) - 1))
        old = code[index]
        code[index] = draw(
            st.one_of(
                st.integers(0, 0x1FF).map(lambda c, old=old: old._replace(code=c)),
                st.integers(0, 255).map(lambda jt, old=old: old._replace(jt=jt)),
                st.integers(0, 255).map(lambda jf, old=old: old._replace(jf=jf)),
                st.one_of(words, st.integers(0, 80), st.integers(0xFFFFEFF0, 0xFFFFF080)).map(
                    lambda k, old=old: old._replace(k=k)
                ),
            )
        )
    return Filter(tuple(code))


_values = st.one_of(
    st.integers(0, 3),
    st.sampled_from((0x10, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 32, (1 << 64) - 1)),
    st.builds(lambda high, low: high << 32 | low, st.integers(0, 2), st.integers(0, 3)),
)
comparisons = st.builds(
    lambda index, operator, value, second: Arg(
        index, operator, value, second & value if operator is Operator.MASKED_EQ else 0
    ),
    st.integers(0, 2),
    st.sampled_from(Operator),
    _values,
    _values,
)
rules = st.builds(
    lambda names, kind, args: Rule(tuple(sorted(names)), kind.scmp, 13, tuple(args)),
    st.sets(st.sampled_from(("getppid", "read", "personality", "socket")), min_size=1, max_size=2),
    st.sampled_from(
        (ActionKind.ALLOW, ActionKind.ERRNO, ActionKind.TRACE, ActionKind.KILL_PROCESS)
    ),
    st.lists(comparisons, max_size=3, unique_by=lambda arg: arg.index),
)
profiles = st.builds(
    lambda rules, default, arches: Profile(
        default.scmp, tuple(rules), (Arch.X86_64, *arches), default_errno=1
    ),
    st.lists(rules, max_size=5),
    st.sampled_from((ActionKind.ERRNO, ActionKind.ALLOW, ActionKind.LOG)),
    st.sampled_from(((), (Arch.X86,), (Arch.X32,), (Arch.X86, Arch.X32))),
)
