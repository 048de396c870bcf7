"""Which tests one worker runs, and which of them have a second try."""

from __future__ import annotations

import pytest

from tests import chance
from tests.distribution import find_group


@pytest.mark.parametrize(
    ("nodeid", "group"),
    [
        ("tests/engines/test_ps.py::test_a[runc]", "engines"),
        ("tests/door/test_readme.py::test_b", "engines"),
        ("tests/explain/test_answers.py::test_c[a::b]", "engines"),
        ("tests/watch/test_answers.py::test_d", "watch"),
        ("tests/watch/test_service.py::test_e", "watch"),
        ("tests/debian/test_life.py::test_h", "debian"),
        ("tests/latch/test_boot.py::test_f[x/y::z]", "tests/latch/test_boot.py"),
        ("tests/unit/watch/test_targets.py::test_g", "tests/unit/watch/test_targets.py"),
    ],
)
def test_groups(nodeid: str, group: str) -> None:
    assert find_group(nodeid) == group


def test_tests_of_values_are_below_unit(request: pytest.FixtureRequest) -> None:
    assert request.path.is_relative_to(chance.PURE)
    assert not request.node.get_closest_marker("flaky")
