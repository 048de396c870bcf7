"""`seclatch explain`: why a command fails, and whether seccomp has anything to do with it."""

from __future__ import annotations

from seclatch.cli.explain.explain_command import command

__all__ = ["command"]
