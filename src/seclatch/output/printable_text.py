"""Escape untrusted text for a terminal."""

from __future__ import annotations


def make_printable(text: str) -> str:
    """Escape the characters that a terminal would act on (control, escape, direction marks).

    Newlines are escaped too: a name from a container must not forge a second line of output.
    """
    return "".join(ch if ch.isprintable() else ascii(ch)[1:-1] for ch in text)


def clip_printable(text: str, most: int = 4000) -> str:
    """Escape and shorten the text: a file may name a call with a million characters."""
    if len(text) <= most:
        return make_printable(text)
    return f"{make_printable(text[:most])} … ({len(text) - most} more characters)"
