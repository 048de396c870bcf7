"""One thing that was looked at, and what to do when it is not as it should be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class CheckState(StrEnum):
    """How a check came out. Only FAIL means that a profile cannot be latched on this host."""

    OK = "ok"
    NOTE = "note"
    FAIL = "fail"


@dataclass(frozen=True)
class HostCheck:
    """What was looked at, how it came out, what was found, and the remedy ("" for none)."""

    name: str
    state: CheckState
    found: str
    remedy: str = ""


def is_healthy(checks: Iterable[HostCheck]) -> bool:
    """Whether a profile can be latched here: nothing failed."""
    return not any(check.state is CheckState.FAIL for check in checks)
