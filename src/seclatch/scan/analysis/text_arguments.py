"""Kinds of texts that code passes: what a library does with a path depends on its first byte.

bindtextdomain(3) and dlopen(3) need the current directory for relative paths only.
"""

from __future__ import annotations

from seclatch.scan.elf.elf_file import ElfError, ElfFile

ANY = -1
"""Instead of a constant: it is unknown which."""

KINDS = {"none": 0, "absolute": 1, "name": 2, "relative": 3}
"""The null pointer, a path that begins with a slash, a text without slashes, any other path."""


class TextReader:
    """Reads the texts of one file that cannot change while it runs."""

    def __init__(self, elf: ElfFile) -> None:
        self._elf = elf

    def classify(self, address: int) -> int:
        """Return the kind of the text at an address, or ANY."""
        if not any(low <= address < high for low, high in self._elf.constant):
            return ANY
        try:
            text = self._elf.text(address)
        except ElfError:
            return ANY
        if text.startswith("/"):
            return KINDS["absolute"]
        return KINDS["relative"] if "/" in text or not text else KINDS["name"]

    def classify_number(self, number: int) -> int:
        """Return the kind of the text at a constant address, which only old programs have."""
        if not number:
            return KINDS["none"]
        return self.classify(number) if self._elf.position_dependent else ANY
