"""Values of `seclatch amend`'s options."""

from __future__ import annotations

import click


def split_words(
    _ctx: click.Context, _param: click.Parameter, value: tuple[str, ...]
) -> tuple[str, ...]:
    """Split lists at their commas, but not within the parentheses of a call."""
    from seclatch.profile.amend.ignored_denials import split_calls

    return tuple(word for text in value for word in split_calls(text))
