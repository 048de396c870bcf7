"""A filter's verdict on one call."""

from __future__ import annotations

from dataclasses import dataclass

from seclatch.model.action import MAX_ERRNO, Action, ActionKind

ACTION_MASK = 0xFFFF0000
"""SECCOMP_RET_ACTION_FULL: the action in a filter's return value."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A filter's 32-bit return value, and which instruction of which stacked filter returned it.

    `layer` counts the filters from the oldest, 0. A division by zero ends a program too, with the
    value 0; `index` is then that division's.
    """

    value: int
    index: int = 0
    layer: int = 0

    @property
    def action(self) -> Action:
        """Return the action as the kernel takes it (an unknown one is KILL_PROCESS)."""
        return Action.from_ret(self.value)

    @property
    def precedence(self) -> int:
        """Return the kernel's order among stacked filters: the lowest wins, data not counted.

        seccomp_run_filters compares the action part as a signed number, also unknown ones.
        """
        action = self.value & ACTION_MASK
        return action - (1 << 32) if action & 0x80000000 else action

    @property
    def returns(self) -> int | None:
        """Return the call's result if the filter alone decides it, else None.

        For ERRNO the negated errno (0: a feigned success). TRACE and NOTIFY depend on tracer or
        listener.
        """
        action = self.action
        return -min(action.data, MAX_ERRNO) if action.kind is ActionKind.ERRNO else None

    def __str__(self) -> str:
        return str(self.action)
