"""Durations on the command line."""

from __future__ import annotations

from datetime import timedelta

import click

from seclatch.model.duration import read_duration


def parse_duration(_ctx: click.Context, _param: click.Parameter, value: str) -> timedelta:
    """Read `500ms`, `1.5s`, `90min`, `24h`, `7d` or 0. Raises BadParameter."""
    seconds = read_duration(value)
    if seconds is None:
        raise click.BadParameter(f"{value!r} is no duration such as 30s, 90min, 24h or 7d")
    return timedelta(seconds=seconds)


def parse_optional_duration(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> timedelta | None:
    """Read a duration that may be missing and is more than 0. Raises BadParameter."""
    if value is None:
        return None
    duration = parse_duration(ctx, param, value)
    if not duration:
        raise click.BadParameter("give a time longer than 0")
    return duration


def format_duration(duration: timedelta) -> str:
    """Write a duration as it is read: `90s`, `10min`."""
    seconds = duration.total_seconds()
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= size and not seconds % size:
            return f"{int(seconds // size)}{unit}"
    return f"{seconds:g}s"
