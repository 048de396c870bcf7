from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seclatch.errors import InputError
from seclatch.output import json_edit

keys = st.text(max_size=6)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)
layouts = st.sampled_from([None, 0, 1, 2, 4, "\t"])


def expected(document: dict[str, Any], path: list[str], value: object) -> dict[str, Any]:
    copy = json.loads(json.dumps(document))
    table = copy
    for key in path[:-1]:
        table = table.setdefault(key, {})
    table[path[-1]] = value
    return copy


@given(st.dictionaries(keys, values, max_size=5), layouts, st.booleans(), values)
def test_setting_changes_only_the_member(
    document: dict[str, Any], layout: int | None, crlf: bool, value: object
) -> None:
    text = json.dumps(document, indent=layout)
    text = text.replace("\n", "\r\n") if crlf else text
    outer = document.get("runtimes")
    if "runtimes" in document and not isinstance(outer, dict):
        return
    for path in (["runtimes", "seclatch"], ["default-runtime"]):
        edited = json_edit.set_member(text, path, value)
        assert json.loads(edited) == expected(document, path, value)


@given(st.dictionaries(keys, values, min_size=1, max_size=5), layouts)
def test_removing_a_member_that_was_set_restores_every_byte(
    document: dict[str, Any], layout: int | None
) -> None:
    document.pop("added", None)
    if not document:
        return
    text = json.dumps(document, indent=layout)
    assert (
        json_edit.remove_member(json_edit.set_member(text, ["added"], {"a": [1]}), ["added"])
        == text
    )


@given(st.dictionaries(keys, values, min_size=1, max_size=5), layouts, st.data())
def test_removing_removes_only_the_member(
    document: dict[str, Any], layout: int | None, data: st.DataObject
) -> None:
    key = data.draw(st.sampled_from(sorted(document)))
    left = json.loads(json_edit.remove_member(json.dumps(document, indent=layout), [key]))
    assert left == {name: value for name, value in document.items() if name != key}


def test_layout_follows_the_file() -> None:
    text = '{\n\t"a": 1,\n\n\t"b": {}\n}\n'
    edited = json_edit.set_member(text, ["b", "c"], {"path": "/x"})
    assert edited == '{\n\t"a": 1,\n\n\t"b": {\n\t\t"c": {\n\t\t\t"path": "/x"\n\t\t}\n\t}\n}\n'


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"a": 1,}', "line 1 column "),  # the comma or the text after it, by Python's version
        ('{\n"a" 1}', "line 2 column 5"),
        ("[]", "not an object"),
        ('{"a": 1, "a": 2}', "key 'a'"),
        ('{"a": {"b": 1, "b": 2}}', "key 'b'"),
        ('{"a": NaN}', "NaN"),
        ("[" * 100_000, "not JSON"),
        ('{"a": ' + "9" * 5000 + "}", "not JSON"),
    ],
)
def test_a_value_that_is_no_object_is_refused_with_its_path(text: str, place: str) -> None:
    with pytest.raises(InputError) as caught:
        json_edit.parse_object("/etc/docker/daemon.json", text)
    assert str(caught.value).startswith("/etc/docker/daemon.json")
    assert place in str(caught.value)
