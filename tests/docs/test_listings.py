"""Each listing and figure in docs/ is generated again and compared."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tools.docs.__main__ import SLOW, difference, make
from tools.docs.lab import Lab
from tools.docs.pages import content, pages, stable

PLACES = [(page, name) for page in pages() for name in content(page) if name not in SLOW]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(checking=True) as made:
        yield made


@pytest.mark.root
@pytest.mark.engine
@pytest.mark.parametrize(
    ("page", "name"), PLACES, ids=lambda value: getattr(value, "stem", value)[:60]
)
def test_a_listing_is_current(page, name: str, lab: Lab) -> None:  # type: ignore[no-untyped-def]
    shown = content(page)[name]
    assert shown.strip(), f"{page.name}: {name} is empty; run `make docs`"
    found = difference(name, shown, make(lab, page, name))
    assert not found, "\n".join([f"{page} is out of date: run `make docs`", *found])


@pytest.mark.parametrize("name", SLOW)
def test_a_measurement_has_its_rows(name: str) -> None:
    """Measuring takes minutes (`python -m tools.docs NAME`), so only the rows are checked."""
    [shown] = [content(page)[name] for page in pages() if name in content(page)]
    for tool in ("seclatch record", "strace -f -c", "ftrace events"):
        assert shown.count(tool) == 5


def test_a_relevant_difference_is_found() -> None:
    assert difference("x", "`capset` 12 calls in 3.5 ms\n", "`capset` 9 calls in 14 ms\n") == []
    assert difference("x", "Seccomp: none\n", "Seccomp: filter\n") != []
    assert stable("runc init 0x7f12 d0123456789abc 1,234") == "runc init ADDRESS ID N"
