"""`seclatch record`: a command of its own, and the commands about recordings below it."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    """Import the command when it is asked for: without click a recording starts sooner."""
    if name != "command":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from seclatch.cli.record import start

    return start.command
