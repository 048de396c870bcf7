"""Arrays edited in place: the value changes as asked, and every other byte stays."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seclatch.output.json_array_edit import (
    append_elements,
    drop_key,
    locate_value,
    remove_elements,
    set_key,
)

keys = st.text(max_size=4)
scalars = st.none() | st.booleans() | st.integers(0, 1 << 70) | st.text(max_size=5)
values = st.recursive(
    scalars, lambda v: st.lists(v, max_size=3) | st.dictionaries(keys, v, max_size=3), max_leaves=6
)
layouts = st.sampled_from([(None, None), (None, (",", ":")), (2, None), ("\t", None), (0, None)])


def write(document: Any, layout: tuple[Any, Any], crlf: bool) -> str:
    text = json.dumps(document, indent=layout[0], separators=layout[1])
    return text.replace("\n", "\r\n") if crlf else text


@given(
    st.lists(values, max_size=4), st.lists(values, min_size=1, max_size=3), layouts, st.booleans()
)
def test_elements_are_added_at_the_end(
    old: list[Any], new: list[Any], layout: tuple[Any, Any], crlf: bool
) -> None:
    text = write({"a": 1, "list": old, "z": 2}, layout, crlf)
    edited = append_elements(text, ["list"], new)
    assert json.loads(edited) == {"a": 1, "list": [*old, *new], "z": 2}
    if old:
        end = locate_value(text, ["list", len(old) - 1]) + 1
        assert edited.startswith(text[:end])
    assert not crlf or "\n" not in edited.replace("\r\n", "")


@given(st.lists(values, min_size=1, max_size=5), layouts, st.data())
def test_elements_are_removed(old: list[Any], layout: tuple[Any, Any], data: st.DataObject) -> None:
    going = data.draw(st.sets(st.integers(0, len(old) - 1)))
    text = write({"list": old}, layout, crlf=False)
    left = [each for index, each in enumerate(old) if index not in going]
    assert json.loads(remove_elements(text, ["list"], going)) == {"list": left}


@given(st.dictionaries(keys, values, max_size=4), keys, values, layouts)
def test_a_key_is_set_and_dropped(
    document: dict[str, Any], key: str, value: Any, layout: tuple[Any, Any]
) -> None:
    text = write([0, document], layout, crlf=False)
    edited = set_key(text, [1], key, value)
    assert json.loads(edited) == [0, document | {key: value}]
    without = {name: each for name, each in document.items() if name != key}
    assert json.loads(drop_key(edited, [1], key)) == [0, without]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"l": [{"a": 1}, {"b": 2}]}', '{"l": [{"a": 1}, {"b": 2}, {"c": 3}]}'),
        ('{"l":[{"a":1}]}', '{"l":[{"a":1},{"c":3}]}'),
        ('{\n  "l": [\n    {"a": 1}\n  ]\n}', '{\n  "l": [\n    {"a": 1},\n    {"c": 3}\n  ]\n}'),
        (
            '{\n "l": [\n  {\n   "a": 1\n  }\n ]\n}',
            '{\n "l": [\n  {\n   "a": 1\n  },\n  {\n   "c": 3\n  }\n ]\n}',
        ),
        ('{\n  "l": []\n}', '{\n  "l": [\n    {\n      "c": 3\n    }\n  ]\n}'),
    ],
)
def test_an_element_is_laid_out_as_its_siblings(text: str, expected: str) -> None:
    assert append_elements(text, ["l"], [{"c": 3}]) == expected


def test_a_missing_key_is_reported() -> None:
    with pytest.raises(KeyError):
        locate_value('{"a": [1]}', ["b"])
