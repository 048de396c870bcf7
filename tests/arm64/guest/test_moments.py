"""Programs in each kind of system call are bound at random moments: `--run moments`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Compiler
from tests.tighten.moments import KINDS, PROPERTY, TIMED, count_kind

WORKERS = 4
SECONDS = 0.25  # the machine is emulated: four times that (SLOWNESS)
WORD = "seclatch.moments="


def read_moments() -> int:
    """Return how many moments of each kind are asked for on the kernel's command line."""
    words = Path("/proc/cmdline").read_text().split()
    return next((int(word.removeprefix(WORD)) for word in words if word.startswith(WORD)), 200)


@pytest.mark.parametrize("kind", (*KINDS, *TIMED))
def test_at_random_moments(
    kind: str, compiler: Compiler, record_property: Callable[[str, object], None]
) -> None:
    counts = count_kind(compiler("in_flight"), kind, read_moments(), WORKERS, SECONDS)
    record_property(PROPERTY, counts.row())
    assert counts.faults == []
