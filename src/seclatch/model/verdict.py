"""What a filter answers to one call."""

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
        """The action as the kernel takes it (an unknown one is KILL_PROCESS)."""
        return Action.from_ret(self.value)

    @property
    def precedence(self) -> int:
        """The kernel's order among stacked filters: the lowest wins, data not counted.

        seccomp_run_filters compares the action part as a signed number, unknown ones too.
        """
        action = self.value & ACTION_MASK
        return action - (1 << 32) if action & 0x80000000 else action

    @property
    def returns(self) -> int | None:
        """What the caller gets without the call being made, or None if the kernel does not say.

        For ERRNO the negated errno (0: a feigned success). TRACE and NOTIFY depend on who listens.
        """
        action = self.action
        return -min(action.data, MAX_ERRNO) if action.kind is ActionKind.ERRNO else None

    def __str__(self) -> str:
        return str(self.action)
