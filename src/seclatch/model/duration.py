"""Durations as users write them."""

from __future__ import annotations

import re

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


def read_duration(text: str) -> float | None:
    """Return the seconds of `500ms`, `1.5s`, `90min`, `24h`, `7d` or 0; None for other text."""
    if text.strip() == "0":
        return 0.0
    match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,6})?)\s*(ms|s|min|m|h|d)", text.strip())
    return float(match[1]) * _UNITS[match[2]] if match else None
