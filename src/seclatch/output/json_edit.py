"""Edit JSON in place: set or remove one member, keep every other byte.

`json` keeps neither layout nor the order of a hand-written file's blank lines; an engine's
configuration belongs to its administrator, so only the affected spans are replaced here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from seclatch.errors import InputError

BLANK = re.compile(r"[ \t\r\n]*")


class JsonMember(NamedTuple):
    """A `"key": value` of an object: text[start:end], its value from text[value] on."""

    key: str
    start: int
    value: int
    end: int


def parse_object(source: str, text: str) -> dict[str, Any]:
    """Parse strictly: one object, no key twice, no NaN; the error names line and column."""

    def no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) != len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise InputError(source, f"key {twice!r}", "is there twice in one object")
        return result

    def no_constant(name: str) -> Any:
        raise InputError(source, "", f"{name} is not JSON")

    try:
        value = json.loads(text, object_pairs_hook=no_duplicates, parse_constant=no_constant)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        raise InputError(source, place, f"not JSON: {error.msg}") from None
    except (RecursionError, ValueError) as error:
        raise InputError(source, "", f"not JSON that can be read: {error}") from None
    if not isinstance(value, dict):
        raise InputError(source, "", "the document is not an object")
    return value


def skip_blank(text: str, at: int) -> int:
    """Return the index of the first character from `at` that is not white space."""
    found = BLANK.match(text, at)
    return found.end() if found else at


class JsonSpan(NamedTuple):
    """An object in the text: the index of its `{`, its members, the index of its `}`."""

    opening: int
    members: list[JsonMember]
    closing: int

    def find(self, key: str) -> int | None:
        """Return the position of a key among the members."""
        return next((i for i, one in enumerate(self.members) if one.key == key), None)


def read_span(text: str, at: int) -> JsonSpan:
    """Find the members of the (valid) object whose `{` is at `at`."""
    decode = json.JSONDecoder().raw_decode
    found: list[JsonMember] = []
    opening, at = at, skip_blank(text, at + 1)
    while text[at] != "}":
        if text[at] == ",":
            at = skip_blank(text, at + 1)
        key, end = decode(text, at)
        value = skip_blank(text, skip_blank(text, end) + 1)  # over the colon
        _, end = decode(text, value)
        found.append(JsonMember(key, at, value, end))
        at = skip_blank(text, end)
    return JsonSpan(opening, found, at)


def set_member(text: str, path: Sequence[str], value: object) -> str:
    """Set the member at `path` and create missing objects; the text must be a valid object."""
    at = skip_blank(text, 0)
    for depth, key in enumerate(path):
        span = read_span(text, at)
        index = span.find(key)
        if index is None:
            for outer in reversed(path[depth + 1 :]):
                value = {outer: value}
            return insert_member(text, span, key, value)
        member = span.members[index]
        at = member.value
    rendered = render_value(value, find_indent_unit(text), find_line_indent(text, member.start))
    return text[: member.value] + rendered + text[member.end :]


def insert_member(text: str, span: JsonSpan, key: str, value: object) -> str:
    """Add a member at the end of an object, laid out as its first member is."""
    unit, newline = find_indent_unit(text), "\r\n" if "\r\n" in text else "\n"
    if span.members:
        end = span.members[-1].end
        gap = text[span.opening + 1 : span.members[0].start]
        if "\n" not in gap:  # an object on one line stays on one line
            gap, unit = gap or " ", ""
        rendered = render_value(value, unit, gap.rpartition("\n")[2], newline)
        return f"{text[:end]},{gap}{json.dumps(key)}: {rendered}{text[end:]}"
    outer = find_line_indent(text, span.opening)
    inner = outer + unit
    member = f"{json.dumps(key)}: {render_value(value, unit, inner, newline)}"
    body = f"{newline}{inner}{member}{newline}{outer}"
    return text[: span.opening + 1] + body + text[span.closing :]


def remove_member(text: str, path: Sequence[str]) -> str:
    """Remove the member at `path` with its comma; do nothing if there is none."""
    at = skip_blank(text, 0)
    for key in path:
        span = read_span(text, at) if text[at] == "{" else JsonSpan(at, [], at)
        index = span.find(key)
        if index is None:
            return text
        at = span.members[index].value
    found = span.members
    if len(found) == 1:
        return text[: span.opening + 1] + text[span.closing :]
    if index:
        return text[: found[index - 1].end] + text[found[index].end :]
    return text[: found[0].start] + text[found[1].start :]


def render_value(value: object, unit: str, indent: str, newline: str = "\n") -> str:
    """Render a value as JSON, its further lines indented; on one line if `unit` is empty."""
    if not unit:
        return json.dumps(value)
    return json.dumps(value, indent=unit).replace("\n", newline + indent)


def find_indent_unit(text: str) -> str:
    """Return the first indentation in the text, else two spaces."""
    found = re.search(r"\n([ \t]+)[^ \t\r\n]", text)
    return found[1] if found else "  "


def find_line_indent(text: str, at: int) -> str:
    """Return the white space that begins the line of index `at`."""
    start = text.rfind("\n", 0, at) + 1
    rest = text[start:at]
    return rest[: len(rest) - len(rest.lstrip(" \t"))]
