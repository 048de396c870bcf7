"""A finding of a profile check, with its remedy."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Severity(enum.Enum):
    """ERROR: wrong, or does not start. WARNING: weakens the profile. NOTE: worth knowing."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding.

    `code` is its kind, for machines. `path` leads to the value in the profile's document
    (`("syscalls", 3, "action")`); `line` and `column` count from 1 and are 0 where unknown.
    """

    code: str
    severity: Severity
    message: str
    remedy: str = ""
    path: tuple[str | int, ...] = ()
    line: int = 0
    column: int = 0

    @property
    def rule(self) -> int | None:
        """Return the number, from 0, of the profile's rule that the finding is about."""
        if self.path[:1] == ("syscalls",) and len(self.path) > 1 and isinstance(self.path[1], int):
            return self.path[1]
        return None
