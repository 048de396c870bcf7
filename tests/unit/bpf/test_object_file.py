"""Truncated or damaged objects raise an error of seclatch's and no other exception."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seclatch.bpf.linked_program import LinkedBpfProgram
from seclatch.bpf.object_file import ObjectError
from seclatch.bpf.object_loader import BpfObject
from seclatch.system.btf import BtfError
from tests.unit.bpf.objects import NAMES, read_bytes

SMALLEST = read_bytes("filters")


def read_all(content: bytes) -> None:
    found = BpfObject(content)
    found.questions()
    for program in found.programs.values():
        LinkedBpfProgram(found.file, program)


@pytest.mark.parametrize("name", NAMES)
def test_objects_are_stripped_of_debug_sections(name: str) -> None:
    sections = BpfObject(read_bytes(name)).file.sections.keys()
    assert {".BTF", ".BTF.ext", ".maps", "license"} <= sections
    assert not [each for each in sections if each.startswith((".debug", ".rel.debug"))]


@pytest.mark.parametrize("name", NAMES)
def test_lines_of_c_are_known(name: str) -> None:
    found = BpfObject(read_bytes(name))
    lines = found.ext.read_lines()
    for function in found.file.functions:
        inside = [line for line in lines[function.section] if line.offset == function.offset]
        assert inside and inside[0].number > 0


@given(st.integers(0, len(SMALLEST) - 1))
def test_truncated(size: int) -> None:
    with contextlib.suppress(ObjectError, BtfError):
        read_all(SMALLEST[:size])


@given(st.lists(st.tuples(st.integers(0, len(SMALLEST) - 1), st.integers(0, 255)), max_size=8))
def test_damaged(changes: list[tuple[int, int]]) -> None:
    content = bytearray(SMALLEST)
    for at, value in changes:
        content[at] = value
    with contextlib.suppress(ObjectError, BtfError):
        read_all(bytes(content))


@given(st.binary(max_size=300))
def test_garbage(content: bytes) -> None:
    with pytest.raises(ObjectError):
        BpfObject(content)
