"""The number of examples for property tests: all in `make test`, few in `make check`."""

from __future__ import annotations

import os

FEW = 12


def examples(count: int) -> int:
    """Return count, or FEW where SECLATCH_EXAMPLES=few (make check)."""
    return min(count, FEW) if os.environ.get("SECLATCH_EXAMPLES") == "few" else count
