"""BTF made by hand and damaged BTF; the kernel's own where there is one."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seclatch.system.btf import VMLINUX, Btf, BtfError

INT, STRUCT, UNION, TYPEDEF, FUNCTION = 1, 4, 5, 8, 12


class Maker:
    """Writes BTF: types in order, ids from 1."""

    def __init__(self) -> None:
        self.strings = b"\0"
        self.types = b""

    def string(self, text: str) -> int:
        if not text:
            return 0
        at = len(self.strings)
        self.strings += text.encode() + b"\0"
        return at

    def add(self, kind: int, name: str, size: int, members: list[tuple[str, int, int]]) -> None:
        info = kind << 24 | len(members)
        self.types += struct.pack("=III", self.string(name), info, size)
        if kind == INT:
            self.types += struct.pack("=I", 32)
        for member, target, bits in members:
            self.types += struct.pack("=III", self.string(member), target, bits)

    def data(self) -> bytes:
        sizes = (0, len(self.types), len(self.types), len(self.strings))
        return struct.pack("=HBBIIIII", 0xEB9F, 1, 0, 24, *sizes) + self.types + self.strings


@pytest.fixture
def made() -> bytes:
    maker = Maker()
    maker.add(INT, "int", 4, [])  # 1
    maker.add(STRUCT, "inner", 8, [("a", 1, 0), ("b", 1, 32)])  # 2
    maker.add(TYPEDEF, "inner_t", 2, [])  # 3, of type 2
    maker.add(UNION, "", 8, [("c", 1, 0), ("d", 3, 0)])  # 4
    maker.add(STRUCT, "outer", 32, [("first", 1, 0), ("in", 3, 64), ("", 4, 128)])  # 5
    return maker.data()


@pytest.mark.parametrize(
    ("path", "offset"),
    [
        ("outer.first", 0),
        ("outer.in", 8),
        ("outer.in.b", 12),
        ("outer.c", 16),
        ("outer.d.b", 20),
        ("inner.b", 4),
    ],
)
def test_offsets(made: bytes, path: str, offset: int) -> None:
    assert Btf(made).offset(path) == offset


@pytest.mark.parametrize("path", ["outer.nothing", "nothing.first", "outer.first.deeper", "int.a"])
def test_unknown_structures_and_members_are_errors(made: bytes, path: str) -> None:
    with pytest.raises(BtfError):
        Btf(made).offset(path)


def test_functions_have_ids() -> None:
    maker = Maker()
    maker.add(INT, "int", 4, [])
    maker.add(FUNCTION, "walk", 1, [])
    assert Btf(maker.data()).function("walk") == 2
    for name in ("int", "run"):
        with pytest.raises(BtfError):
            Btf(maker.data()).function(name)


@given(data=st.binary(max_size=200))
def test_garbage_is_an_error(data: bytes) -> None:
    with pytest.raises(BtfError):
        Btf(data).offset("outer.in.b")


@given(at=st.integers(0, 400), value=st.integers(0, 255), length=st.integers(0, 400))
def test_damaged_btf_gives_an_error_or_a_number(at: int, value: int, length: int) -> None:
    maker = Maker()
    maker.add(INT, "int", 4, [])
    maker.add(STRUCT, "inner", 8, [("a", 1, 0), ("", 2, 32), ("b", 1, 64)])
    data = bytearray(maker.data()[:length])
    if at < len(data):
        data[at] = value
    with contextlib.suppress(BtfError):
        assert Btf(bytes(data)).offset("inner.b") >= 0


@pytest.mark.skipif(not VMLINUX.exists(), reason="this kernel has no BTF")
def test_the_kernel_s_own() -> None:
    btf = Btf.of_kernel()
    assert btf.offset("task_struct.tgid") == btf.offset("task_struct.pid") + 4
    assert btf.offset("mm_struct.arg_end") == btf.offset("mm_struct.arg_start") + 8
