"""Words of hostile text in messages: as many letters of each as a reader needs."""

from __future__ import annotations

MAX_QUOTED = 80
"""Letters. A profile may name a call with a hundred thousand."""


def shorten_text(text: str) -> str:
    """Keep the beginning of a word that is too long, with … for the rest."""
    return text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}…"


def quote_text(text: str) -> str:
    """The same in quotes, with what is not printable escaped."""
    return repr(shorten_text(text))
