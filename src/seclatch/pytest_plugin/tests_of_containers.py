"""Find the tests during which a container was started."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from seclatch.pytest_plugin.split_trace import SuiteContainer


class RanTest(NamedTuple):
    """When a test ran, its fixtures included, in ns of CLOCK_MONOTONIC."""

    began: int
    ended: int
    nodeid: str


def find_tests(container: SuiteContainer, ran: Iterable[RanTest]) -> SuiteContainer:
    """Return the container with its tests; workers run several at the same time."""
    tests = (each.nodeid for each in ran if each.began <= container.started <= each.ended)
    return replace(container, tests=tuple(tests))
