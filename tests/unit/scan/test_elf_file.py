"""Hostile files are refused with a reason and never crash the scan."""

from __future__ import annotations

import functools
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seclatch.scan.analysis.code_sweep import drop_returning
from seclatch.scan.elf.elf_file import ElfError, parse_elf
from seclatch.scan.summary.summary_cache import SummaryCache
from tests.examples import examples


@functools.cache
def real() -> bytes:
    """Return the bytes of a small program of this machine."""
    return Path("/usr/bin/true").resolve().read_bytes()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no ELF"),
        (b"#!/bin/sh\n", "no ELF"),
        (b"\x7fELF", "cut short"),
        (b"\x7fELF\x01\x01" + bytes(58), "64-bit"),
        (b"\x7fELF\x02\x01" + bytes(58), "machine 0"),
        (b"\x7fELF\x02\x01" + bytes(10) + b"\x01\0\x3e\0" + bytes(44), "neither a program"),
        (b"\x7fELF\x02\x01" + bytes(10) + b"\x02\0\x3e\0" + bytes(44), "program headers"),
    ],
)
def test_an_invalid_program_is_refused_with_a_reason(content: bytes, words: str) -> None:
    with pytest.raises(ElfError, match=words):
        parse_elf(content)


def test_a_small_file_does_not_fill_much_memory() -> None:
    """Its last segment lies 512 MB behind the others."""
    data = bytearray(real())
    headers, count = struct.unpack_from("<Q", data, 32)[0], struct.unpack_from("<H", data, 56)[0]
    loads = [headers + 56 * i for i in range(count)]
    last = max(each for each in loads if struct.unpack_from("<I", data, each)[0] == 1)
    struct.pack_into("<Q", data, last + 16, 1 << 29)
    with pytest.raises(ElfError, match="span"):
        parse_elf(bytes(data))


def header(segments: int, sections_at: int = 0, sections: int = 0) -> bytes:
    return (
        b"\x7fELF\2\1\1"
        + bytes(9)
        + struct.pack(
            "<HHIQQQIHHHHHH",
            2,
            62,
            1,
            0x400000,
            64,
            sections_at,
            0,
            64,
            56,
            segments,
            64,
            sections,
            0,
        )
    )


def load(size: int) -> bytes:
    return struct.pack("<IIQQQQQQ", 1, 5, 0, 0x400000, 0x400000, size, size, 4096)


def section(name: int, kind: int, address: int, offset: int, size: int) -> bytes:
    return struct.pack("<IIQQQQIIQQ", name, kind, 2, address, offset, size, 0, 0, 0, 24)


def test_more_segments_than_a_kernel_takes() -> None:
    count = 60_000
    with pytest.raises(ElfError, match="kernel"):
        parse_elf(header(count) + load(64 + 56 * count) * count)


def test_many_segments_that_each_span_the_file() -> None:
    size = 1 << 20
    data = header(1000) + load(size) * 1000
    with pytest.raises(ElfError, match="many times"):
        parse_elf(data + b"\x90" * (size - len(data)))


def test_unterminated_section_names() -> None:
    size, count = 1 << 20, 3000
    named = section(0, 3, 0, 120, size) + b"".join(section(i, 1, 0, 0, 0) for i in range(1, count))
    found = parse_elf(header(1, 120 + size, count) + load(64) + b"a" * size + named)
    assert sum(len(each.name) for each in found.sections) < 1 << 20


def test_many_tables_that_each_span_the_file(tmp_path: Path) -> None:
    size, count = 1 << 20, 2000
    tables = b"".join(section(0, 4, 0x400078 + i, 120, size - count) for i in range(1, count))
    data = header(1, 120 + size, count) + load(120 + size) + bytes(size)
    assert not parse_elf(data + section(0, 3, 0, 0, 1) + tables).sections


def test_a_chain_of_jumps_as_long_as_a_file() -> None:
    """Each jumps to the next one, and the last one returns: none of them is endless."""
    count = 100_000
    tails = {i: {i + 1} for i in range(count)}
    assert not drop_returning(set(range(count)), tails)
    assert drop_returning(set(range(count + 1)), tails) == set(range(count + 1))


@settings(max_examples=examples(150), deadline=None)
@given(
    changes=st.lists(
        st.tuples(st.integers(0, 40_000), st.binary(min_size=1, max_size=8)), max_size=20
    ),
    cut=st.none() | st.integers(0, 40_000),
)
def test_a_damaged_file_is_refused_without_a_crash(
    changes: list[tuple[int, bytes]], cut: int | None
) -> None:
    content = bytearray(real()[:cut])
    for at, text in changes:
        content[at : at + len(text)] = text
    try:
        SummaryCache(None).summary(bytes(content))
    except ElfError as error:
        assert str(error)


@settings(max_examples=examples(100), deadline=None)
@given(
    at=st.integers(0, 0x400),
    value=st.sampled_from([0, 1, 0xFF, 0x7F, 0x80]),
    width=st.integers(1, 8),
)
def test_a_damaged_header_is_refused_without_a_crash(at: int, value: int, width: int) -> None:
    content = bytearray(real())
    content[at : at + width] = bytes([value]) * width
    try:
        SummaryCache(None).summary(bytes(content))
    except ElfError as error:
        assert str(error)


def test_a_summary_is_cached(tmp_path: Path) -> None:
    cache = SummaryCache(tmp_path / "summaries")
    first = cache.summary(real())
    assert cache.summary(real()) == first and cache.fresh == 1
    (file,) = (tmp_path / "summaries").iterdir()
    file.write_bytes(b"damaged")
    assert cache.summary(real()) == first and cache.fresh == 2


def test_an_unwritable_cache_only_costs_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert SummaryCache(tmp_path / "file" / "below").summary(real()).numbers is not None
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
