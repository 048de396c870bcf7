"""A program that a process executed."""

from __future__ import annotations

import msgspec


class ExecutedProgram(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A program as it was executed: entry point, its children, exec sessions, health checks."""

    exe: str
    argv: list[str] = []
