"""Parse an option with an optional value, before the words of the command to run."""

from __future__ import annotations

from collections.abc import Iterator

import click


def join_value(command: click.Command, args: list[str], name: str, alone: str) -> Iterator[str]:
    """Yield the arguments, with `name VALUE` as `name=VALUE`, and `name` alone as `name=alone`.

    Only values of its choices count as such, and only options before the first other word: what
    follows is another command's.
    """
    options = {
        each: option
        for option in command.params
        if isinstance(option, click.Option)
        for each in (*option.opts, *option.secondary_opts)
    }
    choices = options[name].type
    words = iter(enumerate(args))
    for index, word in words:
        if word == "--" or not word.startswith("-") or word == "-":
            yield from args[index:]
            return
        following = args[index + 1] if index + 1 < len(args) else ""
        if word == name:
            named = isinstance(choices, click.Choice) and following in choices.choices
            yield f"{name}={following if named else alone}"
            if named:
                next(words)
            continue
        yield word
        option = options.get(word)
        if option and not option.is_flag and not option.count and index + 1 < len(args):
            yield next(words)[1]
