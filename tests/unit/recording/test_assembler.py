"""Encodings from instruction-set.rst, little endian hosts."""

from __future__ import annotations

import sys

import pytest

from seclatch.recording.backends.bpf.assembler import R0, R1, R2, R10, Assembler, Helper

pytestmark = pytest.mark.skipif(sys.byteorder != "little", reason="bytes of little endian hosts")


def test_each_kind_of_instruction() -> None:
    a = Assembler()
    a.load(8, R1, R2, 16)
    a.store(4, R10, -4, R1)
    a.store_value(2, R10, -8, 7)
    a.add_atomic(8, R1, 0, R2, fetch=True)
    a.add_atomic(4, R1, 8, R2)
    a.move(R1, -1)
    a.compute("add", R1, R2)
    a.load_map(R1, 5)
    a.load_map_value(R1, 5, 24)
    a.call(Helper.KTIME)
    a.exit(0)
    assert a.code().hex(" ", 8).split() == [
        "7921100000000000",
        "631afcff00000000",
        "6a0af8ff07000000",
        "db21000001000000",
        "c321080000000000",
        "b7010000ffffffff",
        "0f21000000000000",
        "1811000005000000",
        "0000000000000000",
        "1821000005000000",
        "0000000018000000",
        "8500000005000000",
        "b700000000000000",
        "9500000000000000",
    ]


def test_jumps_count_from_the_next_instruction() -> None:
    a = Assembler()
    a.label("top")
    a.jump_if("jeq", R1, 3, "end")
    a.jump_if("jne", R1, R2, "top", bits=32)
    a.jump("top")
    a.label("end")
    a.exit()
    assert a.code()[:24].hex(" ", 8).split() == [
        "1501020003000000",
        "5e21feff00000000",
        "0500fdff00000000",
    ]


def test_labels_must_be_there_once_and_near() -> None:
    a = Assembler()
    a.jump("nowhere")
    with pytest.raises(ValueError, match="nowhere"):
        a.code()
    a.label("nowhere")
    with pytest.raises(ValueError, match="twice"):
        a.label("nowhere")
    far = Assembler()
    far.jump("end")
    for _ in range(1 << 15):
        far.move(R0, 0)
    far.label("end")
    with pytest.raises(ValueError, match="does not fit"):
        far.code()


def test_unique_names_differ() -> None:
    a = Assembler()
    assert a.unique("x") != a.unique("x")
