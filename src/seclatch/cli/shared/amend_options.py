"""Values of `seclatch amend`'s options."""

from __future__ import annotations

import re
from datetime import timedelta

import click

_UNITS = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86400}


def parse_duration(_ctx: click.Context, _param: click.Parameter, value: str) -> timedelta:
    """Read `24h`, `90min`, `7d` or 0."""
    match = re.fullmatch(r"(\d{1,6})\s*(s|min|m|h|d)", value.strip())
    if value.strip() == "0":
        return timedelta()
    if not match:
        raise click.BadParameter(f"{value!r} is not a time such as 24h, 90min or 7d")
    return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


def split_words(
    _ctx: click.Context, _param: click.Parameter, value: tuple[str, ...]
) -> tuple[str, ...]:
    """Split lists at their commas, but not within the parentheses of a call."""
    from seclatch.profile.amend.ignored_denials import split_calls

    return tuple(word for text in value for word in split_calls(text))
