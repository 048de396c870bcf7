"""Decoding of bytes that are filters, and of bytes that are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seclatch.errors import InputError, SeclatchError
from seclatch.filter.classic_bpf.decode import decode_filter, load_filter
from seclatch.filter.classic_bpf.simulate import simulate_filter
from seclatch.filter.decompile import decompile_filter
from seclatch.filter.disassemble import disassemble_filter
from seclatch.model.arch import Arch
from seclatch.model.filter import Filter
from seclatch.model.seccomp_data import SeccompData
from tests.strategies import programs

junk = st.one_of(
    st.binary(max_size=64),
    # Bytes with small values at these offsets are programs more often than random ones.
    st.lists(
        st.tuples(st.integers(0, 0x9F), st.integers(0, 3), st.integers(0, 3), st.integers(0, 64)),
        max_size=12,
    ).map(lambda rows: b"".join(bytes((a, 0, b, c, d, 0, 0, 0)) for a, b, c, d in rows)),
)


@given(junk)
def test_any_bytes_are_decoded_or_refused_with_a_reason(data: bytes) -> None:
    try:
        program = decode_filter(data, "junk")
    except InputError as error:
        assert "BPF" in str(error) or "refuses" in str(error)
        assert error.status == 2
        return
    assert program.to_bytes() == data
    simulate_filter(program, SeccompData(1, 2, (3,)))


@given(junk)
def test_any_bytes_can_be_listed(data: bytes) -> None:
    program = Filter.from_bytes(data[: len(data) // 8 * 8])
    assert len(disassemble_filter(program, Arch.X86_64)) == len(program)


@given(programs())
def test_any_program_decompiles_or_names_the_reason(program: Any) -> None:
    try:
        found = decompile_filter(program, (Arch.X86_64,))
    except SeclatchError as error:
        assert "decompiling the filter" in str(error)
    else:
        assert found.profiles


@given(programs(), st.sampled_from(("little", "big")))
def test_bytes_round_trip_in_both_byte_orders(program: Any, order: Any) -> None:
    program = Filter(program.instructions, order)
    assert Filter.from_bytes(program.to_bytes(), order) == program
    assert decode_filter(program.to_bytes(), "it", order) == program


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "0 instructions"),
        (bytes(3_000_000), "no BPF program: more than 65535 instructions"),
        (b"\x06\0\0\0\0\0\0", "7 bytes are no whole number of 8-byte instructions"),
        (b"\x06\0\0\0\0\0\0\0\x20\0\0\0\0\0\0\0", "instruction 1: the kernel refuses"),
    ],
    ids=range(4),
)
def test_an_error_names_file_place_and_rule(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "x.bpf"
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        load_filter(path)
    assert str(caught.value).startswith(f"{path}: ") and message in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize("spaces", range(8))
def test_a_profile_is_distinguished_from_a_program(spaces: Any) -> None:
    with pytest.raises(InputError) as caught:
        decode_filter(b'{"defaultAction": "SCMP_ACT_ERRNO"}' + b" " * spaces, "strict.json")
    assert "`seclatch profile compile`" in caught.value.remedy


def test_a_big_endian_program_is_recognised() -> None:
    data = bytes.fromhex("0020000000000004000600007fff0000")
    assert decode_filter(data, "it").byteorder == "big"
