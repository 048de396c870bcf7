"""Untrusted text in messages: shortened and escaped."""

from __future__ import annotations

MAX_QUOTED = 80
"""Characters. A profile may name a call with a hundred thousand."""


def shorten_text(text: str) -> str:
    """Return the beginning of a long text, with … for the rest."""
    return text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}…"


def quote_text(text: str) -> str:
    """Return the shortened text in quotes, with unprintable characters escaped."""
    return repr(shorten_text(text))
