"""Names of errno values."""

from __future__ import annotations

from functools import cache
from importlib import resources

import msgspec

from seclatch.model.quoted_text import quote_text


@cache
def load_errnos() -> dict[str, int]:
    """Load the table of names and numbers, from the kernel's <asm-generic/errno.h>.

    Valid on every architecture here except MIPS and PA-RISC, whose numbers above 34 differ.
    """
    data = resources.files("seclatch.data").joinpath("errno.json").read_bytes()
    return msgspec.json.decode(data, type=dict[str, int])


def parse_errno(text: str) -> int:
    """Parse a name (`EPERM`) or a decimal number. Raises ValueError for anything else."""
    if text.isascii() and text.isdigit() and len(text) < 6:
        return int(text)
    if text not in load_errnos():
        raise ValueError(f"unknown errno {quote_text(text)}")
    return load_errnos()[text]


def name_errno(number: int) -> str:
    """Return the name of a number, or its digits if it has none."""
    for known, value in load_errnos().items():
        if value == number:
            return known
    return str(number)
