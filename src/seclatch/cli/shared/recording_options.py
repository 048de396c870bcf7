"""Options of commands that read recordings."""

from __future__ import annotations

import click

no_sessions_option = click.option(
    "--no-sessions",
    "--without-exec",
    "no_sessions",
    is_flag=True,
    help="Without exec sessions: probes, health checks, `exec` by hand.",
)
