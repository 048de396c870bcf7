"""`seclatch amend`: allow in a profile what was denied under it."""

from __future__ import annotations

from seclatch.cli.amend.amend_command import command

__all__ = ["command"]
