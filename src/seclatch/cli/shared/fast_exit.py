"""Leaving without the interpreter's own end, which would hold the caller up for some 8 ms more."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import NoReturn


def exit_fast(status: int) -> NoReturn:
    """Exit at once with this status, with everything printed that can be."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError):  # closed from the start, or by now
            stream.flush()
    os._exit(status)
