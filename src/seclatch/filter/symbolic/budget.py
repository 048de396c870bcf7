"""The work that may be spent on one program or comparison.

Counted in steps, never in seconds, so that the result is the same on every machine.

See docs/decisions/0061 (budget per command).
"""

from __future__ import annotations

from seclatch.filter.symbolic.term import TooComplexError

MAX_STEPS = 200_000
"""Branches to follow in one graph. Docker's default profile has about 400 per architecture."""


class BranchBudget:
    """How many more branches may be followed; several graphs may share one budget.

    Without it, a program made to be hard would take its full time for each call.
    """

    def __init__(self, steps: int = MAX_STEPS) -> None:
        self.left = steps

    def spend(self, steps: int = 1) -> None:
        """Subtract steps. Raises TooComplexError if none are left."""
        self.left -= steps
        if self.left < 0:
            raise TooComplexError("there are more paths than can be followed")
