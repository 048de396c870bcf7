"""A run that is made again: its command, and why there may be none."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_OWN = secrets.token_hex(4)  # a pid is no name: two may be the same in two pid namespaces


class CannotRunAgainError(Exception):
    """The reason why a command is not run again, as a part of a sentence."""


class NothingToConfirmError(CannotRunAgainError):
    """The reason why another run would say nothing."""


@dataclass(frozen=True, slots=True)
class SecondRun:
    """A command that runs the same program again.

    `stop`: the commands that end and remove its container, one after the other, whether or not the
    one before succeeds; `removal`: what removes the rest of it where its client was killed, too.
    `prepare` is called in its process before the exec.
    """

    words: tuple[str, ...]
    stop: tuple[tuple[str, ...], ...] = ()
    removal: tuple[tuple[str, ...], ...] = ()
    prepare: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class SharedRoot:
    """A root directory that the first run could write to.

    `hide` hides paths in it from further runs, and returns whether that is possible.
    """

    path: Path
    hide: Callable[[Sequence[str]], bool]


@dataclass(frozen=True, slots=True)
class PlannedBundle:
    """The bundle of further runs: its directory's device and inode, and its configuration.

    `written` is the configuration as it was read, `config` with absolute paths.
    """

    folder: tuple[int, int]
    written: dict[str, Any]
    config: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RunAgain:
    """How a command is run again.

    `make` returns it under the profile of a file in a folder of its own, or as it is for None.
    `takes_input`: the program reads the standard input of the command; `interactive`: by an option.
    `offline`: it has no network then, but may have had one in the first run. `doubt`: what in the
    command is a reason not to do so without being asked. `root`: the root directory that all runs
    have, if there is one. `bundle`: what is run, where that is not an engine's to say.
    """

    client: str
    make: Callable[[str, Path, dict[str, Any] | None], SecondRun]
    takes_input: bool
    interactive: bool = False
    offline: bool = False
    doubt: str = ""
    root: SharedRoot | None = None
    bundle: PlannedBundle | None = None


def make_name(number: str) -> str:
    """Return the name of a further container, which no other command has."""
    return f"seclatch-confirm-{_OWN}-{number}"


def write_profile(folder: Path, profile: dict[str, Any]) -> Path:
    """Write a profile as a file that an engine's client is given."""
    file = folder / "profile.json"
    file.write_text(json.dumps(profile, indent=2) + "\n")
    return file
