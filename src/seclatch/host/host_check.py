"""The result of one check of the host, with its remedy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class CheckState(StrEnum):
    """The result of a check. Only FAIL means that a profile cannot be latched on this host."""

    OK = "ok"
    NOTE = "note"
    FAIL = "fail"


@dataclass(frozen=True)
class HostCheck:
    """What was checked, the result, what was found, and the remedy ("" for none)."""

    name: str
    state: CheckState
    found: str
    remedy: str = ""


def is_healthy(checks: Iterable[HostCheck]) -> bool:
    """Return whether a profile can be latched here: no check failed."""
    return not any(check.state is CheckState.FAIL for check in checks)
