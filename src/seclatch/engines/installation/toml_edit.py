"""Edit TOML in place with tomlkit (comments and order kept), checked by a second parser."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from seclatch.errors import InputError


def parse_table(source: str, text: str) -> dict[str, Any]:
    """Parse a TOML document to plain values; the error names the place."""
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(source, "", f"not TOML: {error}") from None


def find_value(table: Mapping[str, Any], path: Sequence[str]) -> Any:
    """Return the value at `path`, or None where a part is missing or no table."""
    value: Any = table
    for key in path:
        if not isinstance(value, Mapping) or key not in value:
            return None
        value = value[key]
    return value


def edit_toml(
    source: str,
    text: str,
    put: Mapping[tuple[str, ...], Any],
    drop: Sequence[tuple[str, ...]] = (),
) -> str:
    """Remove and then set values by path; refuse if the text would then mean anything else.

    tomlkit keeps the layout, but a document may define one table in several places; so the result
    is parsed again by tomllib and must be exactly the old values with this change.
    """
    expected = parse_table(source, text)
    for path in drop:
        remove_value(expected, path)
    try:
        for path, value in put.items():
            set_value(expected, path, value)
    except (TypeError, AttributeError):
        raise InputError(source, ".".join(path[:-1]), "has a part that is not a table") from None
    try:
        document = tomlkit.parse(text)
        for path in drop:
            remove_value(document, path)
        for path, value in put.items():
            set_item(document, path, value)
        edited = tomlkit.dumps(document)
    except (TOMLKitError, KeyError, TypeError, AttributeError) as error:
        raise make_layout_error(source, put) from error
    if parse_table(source, edited) != expected:
        raise make_layout_error(source, put)
    return edited


def make_layout_error(source: str, put: Mapping[tuple[str, ...], Any]) -> InputError:
    """Make the error for a layout that cannot be changed with certainty."""
    lines = "; ".join(f"{'.'.join(path)} = {value!r}" for path, value in put.items())
    return InputError(
        source,
        "",
        "its layout (tables defined in parts) cannot be changed without risk",
        remedy=f"bring each table into one place, or set by hand: {lines}",
    )


def set_value(table: dict[str, Any], path: Sequence[str], value: Any) -> None:
    """Set a value in plain tables and create missing tables."""
    for key in path[:-1]:
        table = table.setdefault(key, {})
    table[path[-1]] = value


def set_item(document: MutableMapping[str, Any], path: Sequence[str], value: Any) -> None:
    """Set a value in a tomlkit document; missing tables on the way get no header of their own."""
    table: Any = document
    for depth, key in enumerate(path[:-1]):
        if key not in table:
            last = depth == len(path) - 2 and not isinstance(value, dict)
            table[key] = tomlkit.table(is_super_table=not last)
        table = table[key]
    former = table.get(path[-1])
    if isinstance(former, tomlkit.items.Array) and isinstance(value, list):
        edit_array(former, value)
        if former.unwrap() == value:
            return
    table[path[-1]] = make_table(value) if isinstance(value, dict) else value


def edit_array(array: tomlkit.items.Array, wanted: Sequence[Any]) -> None:
    """Remove what is not wanted and append what is missing: comments between values stay."""
    for index in reversed(range(len(array))):
        if array[index] not in wanted:
            del array[index]
    for value in wanted:
        if value not in array:
            array.append(value)


def make_table(value: Mapping[str, Any]) -> tomlkit.items.Table:
    """Make a table with a header; its sub-tables likewise, last as TOML needs them."""
    table = tomlkit.table()
    for key, item in sorted(value.items(), key=lambda pair: isinstance(pair[1], dict)):
        table[key] = make_table(item) if isinstance(item, dict) else item
    return table


def remove_value(table: Any, path: Sequence[str]) -> None:
    """Remove the value at `path`, and every table above it that this leaves empty."""
    if not isinstance(table, Mapping) or path[0] not in table:
        return
    if len(path) > 1:
        remove_value(table[path[0]], path[1:])
        if table[path[0]]:
            return
    del table[path[0]]  # type: ignore[attr-defined]
