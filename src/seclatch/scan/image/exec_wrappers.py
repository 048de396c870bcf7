"""Programs that execute the command in their arguments, and the position of that command."""

from __future__ import annotations

import re
from collections.abc import Iterator

_AS_USER = {"gosu", "su-exec", "setuidgid"}
_WRAPPER = re.compile(
    r"tini(-static)?|dumb-init|catatonit|docker-init|env|nice|ionice|nohup|setsid|timeout|stdbuf|"
    r"setpriv|runuser|chrt|taskset|prlimit|numactl|time|" + "|".join(_AS_USER)
)


def is_wrapper(name: str) -> bool:
    """Return whether a program of this name executes its arguments."""
    return _WRAPPER.fullmatch(name) is not None


def find_program_places(name: str, words: tuple[str, ...]) -> Iterator[tuple[int, bool]]:
    """Yield positions where a wrapper's arguments may name its program; True: certainly.

    `--reuid mysql mysqld`: the word after an option may belong to it.
    """
    option = False
    for position, word in enumerate(words):
        if position == 0 and name in _AS_USER:
            continue  # the user, often of the same name as the program
        if word.startswith("-"):
            option = word != "--" and "=" not in word
        elif "=" not in word.split("/")[0]:  # env NAME=VALUE
            yield position, not option
            option = False
