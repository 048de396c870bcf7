"""The list of a node's profiles: a line `NAME HOST/REPOSITORY@sha256:…` each."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from seclatch.errors import InputError
from seclatch.output.printable_text import clip_printable
from seclatch.registry.reference import Reference, parse_reference

MAX_PROFILES = 500
_MAX_FILE = 1 << 20
_WORD = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
NAME = re.compile(rf"(?:{_WORD}\.)?{_WORD}")
"""`web`, or `NAMESPACE.web`, which the sample policy keeps to that namespace."""


@dataclass(frozen=True, slots=True)
class ListedProfile:
    """A profile that a node should have."""

    name: str
    reference: Reference

    @property
    def file_name(self) -> str:
        """Return the name that its content has for ever: NAME-SHA12.json."""
        return f"{self.name}-{self.reference.digest.removeprefix('sha256:')[:12]}.json"


def read_profile_list(path: Path) -> list[ListedProfile]:
    """Read a list; `#` begins a comment. Raises InputError with the line."""
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_FILE + 1)
    except OSError as error:
        raise InputError(str(path), "", f"cannot read it: {error.strerror}") from error
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise InputError(str(path), f"byte {error.start}", "not UTF-8 text") from error
    found: dict[str, ListedProfile] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if words:
            one = _read_line(str(path), number, words)
            if found.setdefault(one.file_name, one) != one:
                raise InputError(str(path), f"line {number}", f"{one.file_name} is another's, too")
    if len(data) > _MAX_FILE or len(found) > MAX_PROFILES:
        raise InputError(str(path), "", f"more than {MAX_PROFILES} profiles")
    return list(found.values())


def _read_line(source: str, number: int, words: list[str]) -> ListedProfile:
    place = f"line {number}"
    if len(words) != 2 or not NAME.fullmatch(words[0]):
        shown = clip_printable(" ".join(words), 100)
        rule = "not NAME HOST/REPOSITORY@sha256:DIGEST"
        raise InputError(source, place, f"{shown!r}: {rule}, NAME in lower case")
    reference = parse_reference(words[1])
    if not reference.digest:
        raise InputError(source, place, f"{reference}: not pinned by digest")
    return ListedProfile(words[0], reference.pin(reference.digest))


def require_registry(listed: list[ListedProfile], prefix: str, source: str) -> None:
    """Raise InputError for a profile that is not below this registry or path."""
    for one in listed:
        if not f"{one.reference.name}/".startswith(f"{prefix.rstrip('/')}/"):
            raise InputError(source, one.name, f"{one.reference.name} is not below {prefix}")


def write_profile_list(listed: Iterable[ListedProfile]) -> str:
    """Return the list as text."""
    return "".join(f"{one.name} {one.reference}\n" for one in listed)
