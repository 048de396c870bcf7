"""Where in a text a value stands: from the path of keys to line and column."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from seclatch.errors import InputError
from seclatch.model.quoted_text import shorten_text

Path = tuple[str | int, ...]

MAX_DIGITS = 100
"""Of a number, whatever its base: Python does not even read or print those of 4300 digits."""

_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder(parse_int=str)  # of any length: where it ends is all that is asked


@dataclass(frozen=True, slots=True)
class TextPosition:
    """A line and column (both from 1; 0 where unknown) and the path that leads there."""

    path: Path = ()
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        """`line 12, column 5 (syscalls[3].action)`, less what is not known."""
        where = f"line {self.line}, column {self.column}" if self.line else ""
        dotted = spell_path(self.path)
        return f"{where} ({dotted})" if where and dotted else where or dotted


class PlacedError(InputError):
    """An InputError that keeps its place as numbers, for those who point at it."""

    def __init__(self, source: str, where: TextPosition, problem: str, *, remedy: str = "") -> None:
        super().__init__(source, str(where), problem, remedy=remedy)
        self.where = where


class FormatError(Exception):
    """A broken rule and the path of the value that breaks it."""

    def __init__(self, path: Path, rule: str, remedy: str = "") -> None:
        super().__init__(rule)
        self.path = path
        self.rule = rule
        self.remedy = remedy


def spell_path(path: Path) -> str:
    """Write a path as people do: `syscalls[3].args[0].op`."""
    text = ""
    for key in path:
        word = f"[{key}]" if isinstance(key, int) else shorten_text(key)
        text += f".{word}" if text and isinstance(key, str) else word
    return text


def parse_path(text: str) -> Path:
    """Read msgspec's path (`$.syscalls[3].action`); what it cannot name ends the path."""
    path: list[str | int] = []
    for name, index in re.findall(r"\.(\w+)|\[(\d+)\]", text):
        path.append(name or int(index))
    return tuple(path)


def at_offset(text: str, offset: int, path: Path = ()) -> TextPosition:
    """Return the position of a character offset."""
    line = text.count("\n", 0, offset) + 1
    return TextPosition(path, line, offset - text.rfind("\n", 0, offset))


class JsonLocator:
    """Finds values in a JSON text by their path, scanning each container at most once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._members: dict[int, dict[str | int, int]] = {}

    def place(self, path: Path) -> TextPosition:
        """Return the position of the value at `path`, or of its nearest existing ancestor."""
        offset = _skip(self._text, 0)
        for key in path:
            if offset not in self._members:
                self._members[offset] = dict(_members(self._text, offset))
            child = self._members[offset].get(key)
            if child is None:
                break
            offset = child
        return at_offset(self._text, offset, path)


_TOKEN = re.compile(
    r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)'  # a string, or one that does not end
    rf"|[][{{}}]|NaN|-?Infinity|(?<![.\d])\d{{{MAX_DIGITS + 1},}}(?![.eE\d])",
    re.DOTALL,
)


def too_deep(text: str, limit: int) -> TextPosition | None:
    """Where a JSON text nests deeper than `limit` lists and objects."""
    depth = 0
    for match in _TOKEN.finditer(text):
        first = match[0][0]
        if first in "[{":
            depth += 1
            if depth > limit:
                return at_offset(text, match.start())
        elif first in "]}":
            depth -= 1
    return None


def no_number(text: str) -> TextPosition:
    """Where a JSON text has what Python reads as a number, or we refuse to, and JSON has not."""
    for match in _TOKEN.finditer(text):
        if match[0][0] not in '"[]{}':
            return at_offset(text, match.start())
    return TextPosition()


def _skip(text: str, offset: int) -> int:
    match = _SPACE.match(text, offset)
    return match.end() if match else offset


def _members(text: str, start: int) -> Iterator[tuple[str | int, int]]:
    """Key and offset of each value in the object or array at `start`; nothing for other values.

    A key that occurs twice comes twice: in a dict the last counts, as for the engines.
    """
    opening = text[start : start + 1]
    if opening not in ("{", "["):
        return
    offset, key = _skip(text, start + 1), 0
    while text[offset] not in "]}":
        name: str | int = key
        if opening == "{":
            name, offset = _DECODER.raw_decode(text, offset)
            offset = _skip(text, _skip(text, offset) + 1)  # over the colon
        yield name, offset
        offset = _skip(text, _DECODER.raw_decode(text, offset)[1])
        if text[offset] == ",":
            offset = _skip(text, offset + 1)
        key += 1


def find_repeated_key(text: str) -> tuple[str, TextPosition, TextPosition] | None:
    """Return a key that occurs twice in one object of a JSON text, and both positions in order."""
    open_values: list[tuple[int, Path]] = [(_skip(text, 0), ())]
    while open_values:
        start, path = open_values.pop()
        seen: dict[str | int, int] = {}
        for key, offset in _members(text, start):
            here = (*path, key)
            if key in seen:
                return str(key), at_offset(text, seen[key], here), at_offset(text, offset, here)
            seen[key] = offset
            open_values.append((offset, here))
    return None
