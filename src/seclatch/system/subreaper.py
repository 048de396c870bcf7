"""PR_SET_CHILD_SUBREAPER (prctl(2)): orphaned descendants become children of this process."""

from __future__ import annotations

import ctypes

_PR_SET_CHILD_SUBREAPER = 36

_libc = ctypes.CDLL(None, use_errno=True)


def become_subreaper() -> None:
    """Make this process the subreaper of its descendants (Linux 3.4).

    Children do not inherit that.
    """
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
