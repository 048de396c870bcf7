"""YAML edited in place: the values change as asked, and no other line does."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from seclatch.output.yaml_edit import YamlText

words = st.sampled_from(["read", "write", "a b", "yes", "é", "- x", "#", "1"])
rules = st.fixed_dictionaries({"names": st.lists(words, min_size=1, max_size=4), "n": st.just(1)})
documents = st.lists(rules, min_size=1, max_size=4)


def write(value: list[dict[str, Any]], *, flow: bool | None, after: bool) -> str:
    text: str = yaml.safe_dump(
        {"spec": {"rules": value, **({"last": "x"} if after else {})}},
        default_flow_style=flow,
        sort_keys=False,
        allow_unicode=True,
    )
    return text if flow else "# first\n" + text.replace("- names", "# of this\n  - names", 0)


@given(documents, documents, st.sampled_from([True, False, None]), st.booleans())
def test_items_are_added_at_the_end(
    old: list[dict[str, Any]], new: list[dict[str, Any]], flow: bool | None, after: bool
) -> None:
    edited = YamlText(write(old, flow=flow, after=after))
    before = edited.text
    edited.append_items(("spec", "rules"), new, "why: a reason")
    assert yaml.safe_load(edited.text)["spec"]["rules"] == old + new
    if not flow:
        added = set(edited.text.splitlines()) - set(before.splitlines())
        assert set(before.splitlines()) <= set(edited.text.splitlines())
        assert any("# why: a reason" in line for line in added)


@given(documents, st.data(), st.sampled_from([True, False, None]), st.booleans())
def test_items_are_removed(
    old: list[dict[str, Any]], data: st.DataObject, flow: bool | None, after: bool
) -> None:
    edited = YamlText(write(old, flow=flow, after=after))
    rule = data.draw(st.integers(0, len(old) - 1))
    names = old[rule]["names"]
    places = data.draw(st.sets(st.integers(0, len(names) - 1)))
    edited.remove_items(("spec", "rules", rule, "names"), places)
    left = [name for place, name in enumerate(names) if place not in places]
    expected = [{**one, "names": left} if n == rule else one for n, one in enumerate(old)]
    assert yaml.safe_load(edited.text)["spec"]["rules"] == expected
    edited.remove_items(("spec", "rules"), {rule})
    expected.pop(rule)
    found = yaml.safe_load(edited.text)
    assert found["spec"]["rules"] == expected
    assert found["spec"].get("last", "x") == "x"


@pytest.mark.parametrize("text", ["a: X # why\r\nb: [1]\r\n", "a: 'X'", '{"a": "X"}', "é: 1\na: X"])
def test_a_scalar_keeps_its_quotes_and_what_stands_beside_it(text: str) -> None:
    edited = YamlText(text)
    edited.set_scalar(("a",), "YY")
    assert edited.text == text.replace("X", "YY")


def test_comments_and_lines_without_an_end_stay() -> None:
    text = "x:\r\n  - n: 1 # one\r\n    # of two\r\n  - n:\r\n      - a   # last"
    edited = YamlText(text)
    edited.append_items(("x",), [{"n": ["b"]}], "")
    assert edited.text == text + "\r\n  - n:\r\n      - b\r\n"
    edited.remove_items(("x",), {0})
    assert edited.text == "x:\r\n" + text.partition("two\r\n")[2] + "\r\n  - n:\r\n      - b\r\n"


def test_a_list_after_a_block_scalar() -> None:
    text = "x:\n- n: |\n    text\n\ny: 1\n"
    edited = YamlText(text)
    edited.append_items(("x",), [{"n": "b"}], "")
    assert yaml.safe_load(edited.text)["x"][1] == {"n": "b"}
    assert yaml.safe_load(edited.text)["y"] == 1


@pytest.mark.parametrize("end", ["", ",", ",  # last\n  ", "  # last\n  ", ",\n"])
def test_a_comma_may_follow_the_last_item_in_brackets(end: str) -> None:
    edited = YamlText(f"a: [\n  {{n: 1}}, {{n: 2}}{end}]\n")
    edited.append_items(("a",), [{"n": 3}], "")
    assert yaml.safe_load(edited.text) == {"a": [{"n": 1}, {"n": 2}, {"n": 3}]}


def test_what_cannot_be_edited_is_refused() -> None:
    """The position of a list with an anchor is that of the anchor."""
    with pytest.raises(ValueError, match="cannot be edited"):
        YamlText("a: &x\n- n: 1\n").append_items(("a",), [{"n": 2}], "")
