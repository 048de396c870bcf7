"""Sets of words: narrowed by comparisons, they hold exactly the words that match."""

from __future__ import annotations

from itertools import islice
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from seclatch.filter.classic_bpf import opcode as op
from seclatch.filter.symbolic.word_set import FULL, U32, WordSet, split_range
from tests.strategies import words

small = st.one_of(words, st.integers(0, 15))
masks = st.one_of(st.just(U32), words, st.integers(1, 15)).filter(bool)


@st.composite
def cuts(draw: Any) -> Any:
    mask = draw(masks)
    operation = draw(st.sampled_from((op.JEQ, op.JGT, op.JGE) if mask == U32 else (op.JEQ,)))
    return operation, mask, draw(small) & mask, draw(st.booleans())


@given(st.lists(cuts(), max_size=6), st.lists(small, min_size=1))
def test_a_narrowed_set_holds_what_the_comparisons_hold(drawn: Any, probes: Any) -> None:
    domain: WordSet | None = FULL
    for cut in drawn:
        narrowed = None if domain is None else domain.narrow(*cut)
        domain = narrowed
    probes += [right + step & U32 for _, _, right, _ in drawn for step in (-1, 0, 1)]
    cubes = list(islice(domain.cubes(), 5000)) if domain else []
    for word in probes:
        wanted = all(
            op.COMPARISON[operation](word & mask, right) is holds
            for operation, mask, right, holds in drawn
        )
        assert (domain is not None and word in domain) is wanted
        if len(cubes) < 5000:
            assert sum(word & mask == value for mask, value in cubes) == wanted


@given(small, small)
def test_blocks_cover_a_range_once(one: Any, other: Any) -> None:
    first, last = sorted((one, other))
    found = list(split_range(first, last, 32))
    assert sum(1 << (U32 & ~mask).bit_count() for mask, _ in found) == last - first + 1
    for mask, value in found:
        assert first <= value <= value | (U32 & ~mask) <= last
