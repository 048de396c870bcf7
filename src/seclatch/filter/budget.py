"""Work that may be spent on one program or comparison: counted in steps, never in seconds, so that
the answer is the same on every machine."""

from __future__ import annotations

from seclatch.filter.term import TooComplexError

MAX_STEPS = 200_000
"""Branches to follow in one graph. Docker's default profile has about 400 per architecture."""


class BranchBudget:
    """How many more branches may be followed; one budget may be for many graphs together.

    Without that, a program made for it would take its time anew for each call.
    """

    def __init__(self, steps: int = MAX_STEPS) -> None:
        self.left = steps

    def spend(self, steps: int = 1) -> None:
        """Raises TooComplexError when nothing is left."""
        self.left -= steps
        if self.left < 0:
            raise TooComplexError("there are more ways through than can be followed")
