"""Registers and instruction codes of x86-64, by name."""

from __future__ import annotations

from functools import cache

import iced_x86 as iced

R = iced.Register


@cache
def load_registers() -> tuple[dict[int, int], dict[int, int]]:
    """Map every general register to the whole register that it is part of, and to its bytes."""
    whole: dict[int, int] = {}
    width: dict[int, int] = {}

    def add(name: str, full: str, size: int) -> None:
        whole[getattr(R, name)] = getattr(R, full)
        width[getattr(R, name)] = size

    for letters in ("AX", "CX", "DX", "BX", "SP", "BP", "SI", "DI"):
        low = letters[0] + "L" if letters[1] == "X" else letters + "L"
        for name, size in ((f"R{letters}", 8), (f"E{letters}", 4), (letters, 2), (low, 1)):
            add(name, f"R{letters}", size)
    for n in range(8, 16):
        for suffix, size in (("", 8), ("D", 4), ("W", 2), ("L", 1)):
            add(f"R{n}{suffix}", f"R{n}", size)
    return whole, width


@cache
def find_codes(prefix: str, part: str = "") -> frozenset[int]:
    """Return the codes of instructions whose names have the prefix and the part."""
    return frozenset(
        code
        for name, code in vars(iced.Code).items()
        if isinstance(code, int) and name.startswith(prefix) and part in name
    )
