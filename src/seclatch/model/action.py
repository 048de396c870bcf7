"""Actions of a filter, and operators that compare an argument."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from seclatch.model.quoted_text import quote_text

DATA_MASK = 0x0000FFFF
"""SECCOMP_RET_DATA: the low 16 bits of a return value."""

MAX_ERRNO = 4095
"""The kernel returns at most this errno, whatever the data (kernel/seccomp.c)."""

EPERM = 1
ENOSYS = 38


class ActionKind(enum.Enum):
    """The kinds of action, with the value of SECCOMP_RET_* (high 16 bits), <linux/seccomp.h>."""

    KILL_PROCESS = 0x80000000
    KILL_THREAD = 0x00000000
    TRAP = 0x00030000
    ERRNO = 0x00050000
    NOTIFY = 0x7FC00000
    TRACE = 0x7FF00000
    LOG = 0x7FFC0000
    ALLOW = 0x7FFF0000

    @property
    def scmp(self) -> str:
        """Return the name in profiles: `SCMP_ACT_ERRNO`."""
        return f"SCMP_ACT_{self.name}"

    @property
    def ret(self) -> str:
        """Return the kernel's name: `SECCOMP_RET_ERRNO` (for NOTIFY: USER_NOTIF)."""
        return f"SECCOMP_RET_{'USER_NOTIF' if self is ActionKind.NOTIFY else self.name}"

    @property
    def precedence(self) -> int:
        """Return the kernel's order among stacked filters: the lowest value wins.

        The kernel compares the action part as a signed 32-bit integer, so KILL_PROCESS is least.
        """
        return self.value - (1 << 32) if self.value & 0x80000000 else self.value

    @property
    def takes_data(self) -> bool:
        """Return whether `errnoRet` has a meaning: an errno for ERRNO, a message for TRACE."""
        return self in (ActionKind.ERRNO, ActionKind.TRACE)

    @property
    def executes(self) -> bool:
        """Return whether the kernel then executes the call without asking a tracer or listener."""
        return self in (ActionKind.ALLOW, ActionKind.LOG)


# SCMP_ACT_KILL is libseccomp's old name for KILL_THREAD.
_BY_SCMP = {kind.scmp: kind for kind in ActionKind} | {"SCMP_ACT_KILL": ActionKind.KILL_THREAD}
_BY_VALUE = {kind.value: kind for kind in ActionKind}

ACTION_NAMES = tuple(_BY_SCMP)
"""Every name a profile may use."""


@dataclass(frozen=True, slots=True, order=False)
class Action:
    """A kind with its data (0 to 65535): the errno of ERRNO, the message of TRACE, else ignored."""

    kind: ActionKind
    data: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.data <= DATA_MASK:
            raise ValueError(f"action data {self.data} does not fit into 16 bits")

    @property
    def ret(self) -> int:
        """Return the filter's 32-bit return value."""
        return self.kind.value | self.data

    @classmethod
    def from_ret(cls, value: int) -> Action:
        """Decode a return value as the kernel does: an unknown action is KILL_PROCESS.

        KILL_PROCESS since Linux 4.14; earlier kernels killed the thread.
        """
        kind = _BY_VALUE.get(value & 0xFFFF0000, ActionKind.KILL_PROCESS)
        return cls(kind, value & DATA_MASK)

    @classmethod
    def from_scmp(cls, name: str, errno: int | None = None) -> Action:
        """Parse a profile's action; without errnoRet, ERRNO and TRACE carry EPERM as in runc.

        Raises ValueError for an unknown name.
        """
        kind = _BY_SCMP.get(name)
        if kind is None:
            raise ValueError(f"unknown action {quote_text(name)}")
        if not kind.takes_data:
            return cls(kind)
        return cls(kind, EPERM if errno is None else errno)

    def __str__(self) -> str:
        """Return `SCMP_ACT_ERRNO(1)`, with the data only where it has a meaning."""
        return f"{self.kind.scmp}({self.data})" if self.kind.takes_data else self.kind.scmp


class Operator(enum.Enum):
    """Comparisons of an argument with a value; the numbers are those of enum scmp_compare."""

    NE = 1
    LT = 2
    LE = 3
    EQ = 4
    GE = 5
    GT = 6
    MASKED_EQ = 7

    @property
    def scmp(self) -> str:
        """Return the name in profiles: `SCMP_CMP_EQ`."""
        return f"SCMP_CMP_{self.name}"

    @property
    def symbol(self) -> str:
        """Return the operator's symbol: `!=`, `<`, … and `&==` for MASKED_EQ."""
        return _SYMBOLS[self]

    @classmethod
    def from_scmp(cls, name: str) -> Operator:
        """Parse a profile's operator. Raises ValueError for an unknown name."""
        operator = cls.__members__.get(name.removeprefix("SCMP_CMP_"))
        if operator is None or not name.startswith("SCMP_CMP_"):
            raise ValueError(f"unknown operator {quote_text(name)}")
        return operator


_SYMBOLS = {
    Operator.NE: "!=",
    Operator.LT: "<",
    Operator.LE: "<=",
    Operator.EQ: "==",
    Operator.GE: ">=",
    Operator.GT: ">",
    Operator.MASKED_EQ: "&==",
}
