"""The base of all targets."""

from __future__ import annotations

from abc import ABC, abstractmethod

from seclatch.model.denial_log import LogLine


class LogTarget(ABC):
    """Takes lines as they come; may hold some back until `flush` or `close`."""

    name = ""
    """What it is, in messages."""

    failed = 0
    """Lines that were not written, since the session asked last."""

    reason = ""

    @abstractmethod
    def write(self, line: LogLine) -> None:
        """Take a line. A line that cannot be written is counted in `failed`."""

    def flush(self) -> None:  # noqa: B027 (most targets hold nothing back)
        """Do what is due; called about once a second."""

    def reopen(self) -> None:  # noqa: B027
        """Open a file anew that another program has moved. Raise SeclatchError."""

    def take_notes(self) -> list[str]:
        """Return what else the user is to know since the last time."""
        return []

    def close(self) -> None:  # noqa: B027
        """Write what was held back, and give everything back."""

    def take_failed(self) -> tuple[int, str]:
        """Return how many lines were not written since the last time, and why."""
        failed, self.failed = self.failed, 0
        return failed, self.reason
