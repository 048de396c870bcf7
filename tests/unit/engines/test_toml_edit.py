from __future__ import annotations

import tomllib
from typing import Any

import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from seclatch.engines.installation import toml_edit
from seclatch.errors import InputError

keys = st.text("abc.-\"' é", min_size=1, max_size=5)
values = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text('ab"\\\n é', max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=10,
)
PATH = ("plugins", "io.containerd.grpc.v1.cri", "containerd", "runtimes", "seclatch")


@given(st.dictionaries(keys, values, max_size=4), values)
def test_an_edit_equals_the_old_document_with_the_change(
    document: dict[str, Any], value: Any
) -> None:
    text = tomlkit.dumps(document)
    edited = toml_edit.edit_toml("config.toml", text, {PATH: value})
    wanted = tomllib.loads(text)
    toml_edit.set_value(wanted, PATH, value)
    assert tomllib.loads(edited) == wanted
    assert tomllib.loads(toml_edit.edit_toml("config.toml", edited, {}, [PATH])) == tomllib.loads(
        text
    )


def test_comments_order_and_spaces_are_kept() -> None:
    text = '# top\nb = 1   # b\na    = [ 1,2 ]\n\n[t]  # table\n  x = "y"\n'
    edited = toml_edit.edit_toml("c", text, {("t", "new", "z"): 1})
    assert all(line in edited.splitlines() for line in text.splitlines())
    assert toml_edit.edit_toml("c", edited, {}, [("t", "new", "z")]).split() == text.split()


def test_a_list_keeps_its_layout() -> None:
    text = '# top\na = [\n  "x", # why\n  "y",\n]\n\n[t]\nb = 1\n'
    edited = toml_edit.edit_toml("c", text, {("a",): ["x", "y", "z"]})
    assert '"x", # why\n' in edited
    assert tomllib.loads(edited)["a"] == ["x", "y", "z"]
    back = toml_edit.edit_toml("c", edited, {("a",): ["x", "y"]})
    assert tomllib.loads(back)["a"] == ["x", "y"]
    assert "# why" in back
    reordered = toml_edit.edit_toml("c", text, {("a",): ["y", "x"]})
    assert tomllib.loads(reordered)["a"] == ["y", "x"]


@pytest.mark.parametrize("text", ["a = ", "a = 1\na = 2\n", "[a\n", "\x00", "a = " + "[" * 5000])
def test_invalid_toml_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"^/etc/c\.toml: not TOML"):
        toml_edit.parse_table("/etc/c.toml", text)


def test_a_value_in_place_of_a_table_is_refused() -> None:
    for path in (("t", "x"), ("t", "x", "y")):
        with pytest.raises(InputError, match=r"^c: t.*has a part that is not a table"):
            toml_edit.edit_toml("c", "t = 1\n", {path: 1})
