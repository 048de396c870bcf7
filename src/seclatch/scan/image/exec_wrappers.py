"""Programs that become, or run, what they are given: which, and where in their words it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator

_AS_USER = {"gosu", "su-exec", "setuidgid"}
_WRAPPER = re.compile(
    r"tini(-static)?|dumb-init|catatonit|docker-init|env|nice|ionice|nohup|setsid|timeout|stdbuf|"
    r"setpriv|runuser|chrt|taskset|prlimit|numactl|time|" + "|".join(_AS_USER)
)


def is_wrapper(name: str) -> bool:
    """Whether a program of this name runs what it is given."""
    return _WRAPPER.fullmatch(name) is not None


def find_program_places(name: str, words: tuple[str, ...]) -> Iterator[tuple[int, bool]]:
    """Where in a wrapper's words its program may stand, in order, and whether it is that for sure
    if it is one. `--reuid mysql mysqld`: what follows an option may belong to it."""
    option = False
    for position, word in enumerate(words):
        if position == 0 and name in _AS_USER:
            continue  # the user, who is often called like the program
        if word.startswith("-"):
            option = word != "--" and "=" not in word
        elif "=" not in word.split("/")[0]:  # env NAME=VALUE
            yield position, not option
            option = False
