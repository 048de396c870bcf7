"""A file's bytes, read exactly once: a pipe or standard input gives them only once."""

from __future__ import annotations

import codecs
import errno
import sys
from dataclasses import dataclass
from pathlib import Path

from seclatch.errors import InputError
from seclatch.model.document_kind import GZIP
from seclatch.profile.parse.default_documents import NAMES, read_default

MAX_SIZE = 2 << 20
"""Bytes. Docker's default profile has 16 KB, the biggest known ones some hundred."""


STANDARD_INPUT = "-"


@dataclass(frozen=True, slots=True)
class ProfileSource:
    """What was read, and what to call it in errors."""

    name: str
    data: bytes

    @property
    def is_program(self) -> bool:
        """Has it a NUL byte near its start? JSON and YAML have none, a BPF program always does.

        (BPF's opcodes are 16-bit numbers below 256.)
        """
        return b"\0" in self.data[:8] and not self._is_utf16

    def text(self) -> str:
        """Return the bytes as text, if they are UTF-8; a byte order mark stays in it."""
        try:
            return self.data.decode()
        except UnicodeDecodeError as error:
            remedy = "iconv -f UTF-16 -t UTF-8" if self._is_utf16 else ""
            raise InputError(
                self.name, f"byte {error.start}", "not UTF-8 text", remedy=remedy
            ) from error

    @property
    def _is_utf16(self) -> bool:
        """Does it start with UTF-16's byte order mark? No opcode is 0xfeff or 0xfffe."""
        return self.data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))


def read_source(path: Path) -> ProfileSource:
    """Read a file of sane size, `-` meaning standard input, or a default profile by its name.

    Raises InputError.
    """
    if str(path) in NAMES and not path.exists():
        return ProfileSource(str(path), read_default(str(path)))
    try:
        if str(path) == STANDARD_INPUT:
            source = ProfileSource("standard input", take_in(MAX_SIZE + 1))
        else:
            with path.open("rb") as file:
                source = ProfileSource(str(path), file.read(MAX_SIZE + 1))
    except OSError as error:
        raise InputError(str(path), "", f"cannot read it: {error.strerror}") from error
    if len(source.data) > MAX_SIZE:
        raise InputError(source.name, "", f"larger than {MAX_SIZE >> 20} MiB: not a profile")
    if source.data.startswith(GZIP):
        remedy = "unpack it (gunzip); `seclatch generate` makes a profile of a recording"
        raise InputError(source.name, "byte 0", "compressed (gzip): not a profile", remedy=remedy)
    return source


def take_in(most: int) -> bytes:
    """Read standard input, so many bytes of it at most. Raises OSError."""
    if sys.stdin is None:  # closed: its number may be another file's by now
        raise OSError(errno.EBADF, "it is closed")
    return sys.stdin.buffer.read(most)
