"""`seclatch generate`: a profile from recordings."""

from __future__ import annotations

from seclatch.cli.generate.generate_command import command

__all__ = ["command"]
