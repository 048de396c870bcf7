"""`seclatch node`."""

from __future__ import annotations

from seclatch.cli.node.node_command import command

__all__ = ["command"]
