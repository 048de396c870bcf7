"""Where in a text a value stands: from the path of keys to line and column."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

Path = tuple[str | int, ...]

_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Place:
    """A line and column (both from 1; 0 where unknown) and the path that leads there."""

    path: Path = ()
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        """`line 12, column 5 (syscalls[3].action)`, less what is not known."""
        where = f"line {self.line}, column {self.column}" if self.line else ""
        dotted = spell(self.path)
        return f"{where} ({dotted})" if where and dotted else where or dotted


class FormatError(Exception):
    """A broken rule and the path of the value that breaks it."""

    def __init__(self, path: Path, rule: str, remedy: str = "") -> None:
        super().__init__(rule)
        self.path = path
        self.rule = rule
        self.remedy = remedy


def spell(path: Path) -> str:
    """Write a path as people do: `syscalls[3].args[0].op`."""
    text = ""
    for key in path:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else key
    return text


def parse_path(text: str) -> Path:
    """Read msgspec's path (`$.syscalls[3].action`); what it cannot name ends the path."""
    path: list[str | int] = []
    for name, index in re.findall(r"\.(\w+)|\[(\d+)\]", text):
        path.append(name or int(index))
    return tuple(path)


def at_offset(text: str, offset: int, path: Path = ()) -> Place:
    """The place of a character offset."""
    line = text.count("\n", 0, offset) + 1
    return Place(path, line, offset - text.rfind("\n", 0, offset))


def locate(text: str, path: Path) -> Place:
    """Find the value at `path` in a JSON text; as far along the path as it exists.

    Scans the text anew: meant for the few places that are told to somebody.
    """
    offset = _skip(text, 0)
    try:
        for key in path:
            offset = _enter(text, offset, key)
    except (ValueError, IndexError, RecursionError):
        pass  # the path ends here, e.g. at an object that lacks the key
    return at_offset(text, offset, path)


def _skip(text: str, offset: int) -> int:
    match = _SPACE.match(text, offset)
    return match.end() if match else offset


def _enter(text: str, offset: int, key: str | int) -> int:
    """Offset of the value at `key` in the object or array that starts at `offset`.

    Of a key that occurs twice the last counts, as for the engines.
    """
    if text[offset] != ("[" if isinstance(key, int) else "{"):
        raise ValueError("not a container")
    found, index, offset = -1, 0, _skip(text, offset + 1)
    while text[offset] not in "]}":
        name: str | int = index
        if isinstance(key, str):
            name, offset = _DECODER.raw_decode(text, offset)
            offset = _skip(text, _skip(text, offset) + 1)  # over the colon
        if name == key:
            found = offset
            if isinstance(key, int):
                break
        offset = _skip(text, _DECODER.raw_decode(text, offset)[1])
        if text[offset] == ",":
            offset = _skip(text, offset + 1)
        index += 1
    if found < 0:
        raise ValueError("no such key")
    return found
