"""Edit JSON arrays in place, and the objects in them; every other byte stays."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import NamedTuple

from seclatch.output.json_edit import (
    find_indent_unit,
    find_line_indent,
    insert_member,
    read_span,
    render_value,
    skip_blank,
)

Path = Sequence[str | int]


class JsonArray(NamedTuple):
    """An array in the text: the index of its `[`, its elements' spans, the index of its `]`."""

    opening: int
    elements: list[tuple[int, int]]
    closing: int


def read_array(text: str, at: int) -> JsonArray:
    """Return the positions of the elements of a valid array; `at` is that of its `[`."""
    decode = json.JSONDecoder(parse_int=str).raw_decode
    found: list[tuple[int, int]] = []
    opening, at = at, skip_blank(text, at + 1)
    while text[at] != "]":
        if text[at] == ",":
            at = skip_blank(text, at + 1)
        _, end = decode(text, at)
        found.append((at, end))
        at = skip_blank(text, end)
    return JsonArray(opening, found, at)


def locate_value(text: str, path: Path) -> int:
    """Return the index of the value at `path`. Raises KeyError where there is none."""
    at = skip_blank(text, 0)
    for key in path:
        if isinstance(key, int):
            at = read_array(text, at).elements[key][0]
            continue
        span = read_span(text, at)
        index = span.find(key)
        if index is None:
            raise KeyError(key)
        at = span.members[index].value
    return at


def append_elements(text: str, path: Path, values: Sequence[object]) -> str:
    """Add elements at the end of the array at `path`, laid out as its last one is."""
    array = read_array(text, locate_value(text, path))
    newline = "\r\n" if "\r\n" in text else "\n"
    unit = find_indent_unit(text) if "\n" in text else ""
    if not array.elements:
        outer = find_line_indent(text, array.opening)
        inner = outer + unit
        gap, end = (newline + inner, newline + outer) if unit else ("", "")
        shown = [gap + render_value(value, unit, inner, newline) for value in values]
        return text[: array.opening + 1] + ",".join(shown) + end + text[array.closing :]
    start, end_of_last = array.elements[-1]
    before = array.elements[-2][1] if len(array.elements) > 1 else array.opening
    gap = text[before:start].lstrip("[, \t") if "\n" in text[before:start] else " "
    last = text[start:end_of_last]
    if "\n" in last:
        indent = find_line_indent(text, end_of_last - 1)
        shown = [render_value(value, unit, indent, newline) for value in values]
    elif ": " in last or not last.startswith("{"):
        shown = [json.dumps(value) for value in values]
    else:  # no blanks anywhere
        gap = gap.lstrip(" ")
        shown = [json.dumps(value, separators=(",", ":")) for value in values]
    added = "".join(f",{gap}{each}" for each in shown)
    return text[:end_of_last] + added + text[end_of_last:]


def remove_elements(text: str, path: Path, indices: Collection[int]) -> str:
    """Remove elements of the array at `path`, each with one comma."""
    for index in sorted(indices, reverse=True):
        found = read_array(text, locate_value(text, path))
        start, end = found.elements[index]
        if index + 1 < len(found.elements):
            end = found.elements[index + 1][0]
        elif index:
            start = found.elements[index - 1][1]
        else:
            start, end = found.opening + 1, found.closing
        text = text[:start] + text[end:]
    return text


def set_key(text: str, path: Path, key: str, value: object) -> str:
    """Set a member of the object at `path`, which is added at its end if there is none."""
    span = read_span(text, locate_value(text, path))
    index = span.find(key)
    if index is None:
        return insert_member(text, span, key, value)
    member = span.members[index]
    indent = find_line_indent(text, member.start)
    shown = render_value(value, find_indent_unit(text) if "\n" in text else "", indent)
    return text[: member.value] + shown + text[member.end :]


def drop_key(text: str, path: Path, key: str) -> str:
    """Remove a member of the object at `path` with its comma; nothing if there is none."""
    span = read_span(text, locate_value(text, path))
    index, found = span.find(key), span.members
    if index is None:
        return text
    if len(found) == 1:
        return text[: span.opening + 1] + text[span.closing :]
    if index:
        return text[: found[index - 1].end] + text[found[index].end :]
    return text[: found[0].start] + text[found[1].start :]
