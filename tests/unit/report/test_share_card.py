"""The picture to share: valid, of its size, harmless with any names."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seclatch.report.compose_report import compose_report
from seclatch.report.html_page import render_card
from seclatch.report.share_card import cut_text, lay_out_card, measure, wrap_text
from tests.unit.recordings import recording
from tests.unit.report.starts import HOSTILE, start

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str]:
    root = ElementTree.fromstring(svg)
    assert (root.get("width"), root.get("height")) == ("1200", "630")
    return ["".join(each.itertext()) for each in root.iter(f"{SVG}text")]


def test_a_latched_start() -> None:
    card = lay_out_card(compose_report(start(latched=True)))
    assert card.good
    assert card.headline == [
        "The filter binds app from its first instruction.",
        "Nothing of runc was under it.",
    ]
    assert [(box.state, box.begins) for box in card.boxes] == [
        ("unfiltered", False),
        ("suspended", False),
        ("filtered", True),
    ]
    assert card.boxes[-1].x + card.boxes[-1].width == pytest.approx(1200 - 56, abs=1)
    assert "the filter begins here" in texts(render_card(compose_report(start(latched=True))))


def test_a_refused_start() -> None:
    card = lay_out_card(compose_report(start(latched=False, refused=True)))
    assert not card.good
    assert [box.state for box in card.boxes] == ["unfiltered", "filtered", "never"]


def test_a_recording_without_a_start() -> None:
    card = lay_out_card(compose_report(recording([])))
    assert card.boxes == []
    assert "system calls" in " ".join(card.headline)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_text(name: str) -> None:
    svg = render_card(compose_report(start(latched=True, argv=(name * 40, name))))
    root = ElementTree.fromstring(svg)
    assert {each.tag.removeprefix(SVG) for each in root.iter()} <= {
        *("svg", "defs", "linearGradient", "stop", "pattern", "rect", "g", "path", "text")
    }
    assert "\u202e" not in svg and "\x1b" not in svg


@given(st.text(), st.integers(30, 1100), st.integers(10, 50))
def test_texts_are_cut_to_their_room(text: str, width: int, size: int) -> None:
    ellipsis = measure("…") * size
    assert measure(cut_text(text, width, size, bold=True)) * size <= max(width, ellipsis)
    lines = wrap_text(text, width, size, 3)
    assert len(lines) <= 3
    assert all(measure(line) * size <= max(width, ellipsis) for line in lines)
