"""A run that is made again: its command, and why there may be none."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_OWN = secrets.token_hex(4)  # a pid is no name: two may be the same in two pid namespaces


class CannotRunAgainError(Exception):
    """The reason why a command is not run again, as a part of a sentence."""


@dataclass(frozen=True, slots=True)
class SecondRun:
    """A command that runs the same program again; `stop`: what ends and removes its container."""

    words: tuple[str, ...]
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunAgain:
    """How a command is run again.

    `make` returns it under the profile of a file in a folder of its own, or as it is for None.
    `takes_input`: the program reads the standard input of the command; `interactive`: by an option.
    """

    client: str
    make: Callable[[str, Path, dict[str, Any] | None], SecondRun]
    takes_input: bool
    interactive: bool = False


def make_name(number: str) -> str:
    """Return the name of a further container, which no other command has."""
    return f"seclatch-confirm-{_OWN}-{number}"
