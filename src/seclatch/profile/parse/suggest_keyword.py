"""A word of a profile that is none: which one was meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def suggest_nearest(word: str, known: Iterable[str]) -> str:
    """`did you mean …?`, or nothing if no known word is like this one.

    Names of libseccomp may lack what they begin with. A word longer than any known one is not
    compared: the cost grows with its square.
    """
    known = list(known)
    short = [
        each for each in known if each.startswith("SCMP_") and each.split("_", 2)[2] == word.upper()
    ]
    if short:
        return f"did you mean {short[0]}?"
    found = difflib.get_close_matches(word[:100], known, n=1)
    return f"did you mean {found[0]}?" if found else ""
