"""Find a value's line and column by its path."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from seclatch.profile.parse.text_position import JsonLocator, TextPosition, parse_path, spell_path

VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=12,
)


def walk(value: Any, path: tuple[str | int, ...] = ()) -> Any:
    yield path, value
    members = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, child in members:
        yield from walk(child, (*path, key))


@given(VALUES, st.sampled_from([None, 1, 4]))
def test_every_value_is_found(value: Any, indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    lines = text.split("\n")
    locator = JsonLocator(text)
    for path, child in walk(value):
        place = locator.place(path)
        rest = "\n".join([lines[place.line - 1][place.column - 1 :], *lines[place.line :]])
        assert json.JSONDecoder().raw_decode(rest)[0] == child


def test_the_end_of_a_path_that_does_not_exist() -> None:
    locator = JsonLocator('{"a": [1, 2]}')
    assert locator.place(("a", 7)) == TextPosition(("a", 7), 1, 7)
    assert locator.place(("b",)) == TextPosition(("b",), 1, 1)
    assert locator.place(("a", 1, "x")) == TextPosition(("a", 1, "x"), 1, 11)


def test_the_last_of_two_equal_keys_counts() -> None:
    assert JsonLocator('{"a": 1, "a": 2}').place(("a",)).column == 15


def test_spelling_of_paths() -> None:
    path = ("syscalls", 3, "args", 0, "op")
    assert spell_path(path) == "syscalls[3].args[0].op"
    assert parse_path("$.syscalls[3].args[0].op") == path
    assert str(TextPosition(path, 2, 5)) == "line 2, column 5 (syscalls[3].args[0].op)"
    assert str(TextPosition()) == ""
