"""When the label of a node is set, left, and removed.

See docs/decisions/0140 (the node's agent).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from seclatch.agent.node_label import READY

REPEAT_SECONDS = 3600.0
"""How often a label is written again that should be there: someone may have removed it."""


class LabelWriter(Protocol):
    """What writes the label."""

    def set_label(self, value: str | None) -> None:
        """Set the label to a value, or remove it. Raises SeclatchError."""


@dataclass(slots=True)
class ReadyLabel:
    """The label as it was last written."""

    api: LabelWriter
    now: Callable[[], float] = time.monotonic
    _written: tuple[str | None, float] | None = field(default=None)

    def update(self, *, latched: bool, complete: bool) -> str:
        """Write the label if needed; return "set", "removed", or "" for neither.

        It is set once the latch has been proved and all profiles are there. It is removed when the
        latch fails. A profile that cannot be fetched does not remove it: the others serve pods,
        and one wrong line in the list would take the label from all nodes.
        """
        wanted = READY if latched else None
        if latched and not complete:
            return ""
        if self._is_written(wanted):
            return ""
        self.api.set_label(wanted)
        self._written = (wanted, self.now())
        return "set" if wanted else "removed"

    def _is_written(self, wanted: str | None) -> bool:
        if self._written is None or self._written[0] != wanted:
            return False
        return wanted is None or self.now() - self._written[1] < REPEAT_SECONDS
