"""Recognise a command line that builds an image: by the client's verb, at the verb's place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from seclatch.diagnose.confirm.client_command.client_options import takes_value

_BUILDERS = ("docker", "podman", "nerdctl", "buildah")
_CLIENTS = frozenset({*_BUILDERS, "ctr", "runc", "crun", "seclatch"})
_BUILD = frozenset({"build"})
_BUILDAH = frozenset({"build", "build-using-dockerfile", "bud"})
# A group of verbs; `b` and `f` are buildx's own short forms, and `builder` is another name of it.
_BUILDX = frozenset({"build", "b", "bake", "f"})
_GROUPS = {"image": _BUILD, "builder": _BUILDX, "buildx": _BUILDX, "compose": _BUILD}
# These build in a process of their own; the others ask a daemon, which takes neither option.
_WITH_STEP_OPTIONS = ("podman", "buildah")


def builds_image(command: Sequence[str]) -> bool:
    """Return whether a command line has an engine's client build an image."""
    return _find_build(command)[1] >= 0


def takes_step_options(command: Sequence[str]) -> bool:
    """Return whether it builds an image with options for a profile or capability of the steps."""
    client, verb = _find_build(command)
    return verb >= 0 and client in _WITH_STEP_OPTIONS


def with_step_option(command: Sequence[str], option: str, value: str) -> list[str]:
    """Return the build with one more option for its steps."""
    verb = _find_build(command)[1]
    return [*command[: verb + 1], option, value, *command[verb + 1 :]]


def _find_build(command: Sequence[str]) -> tuple[str, int]:
    """Return the client and the position of its verb that builds; -1 if it does anything else."""
    names = [PurePosixPath(word).name for word in command]
    client = next((name for name in names if name in _CLIENTS), "")
    if client not in _BUILDERS:
        return "", -1
    verb = _skip_options(client, command, names.index(client) + 1)
    word = "".join(command[verb : verb + 1])
    if word in (_BUILDAH if client == "buildah" else _BUILD):
        return client, verb
    if client == "buildah" or word not in _GROUPS:
        return client, -1
    options = word if word in ("buildx", "builder", "compose") else client
    verb, verbs = _skip_options(options, command, verb + 1), _GROUPS[word]
    # Compose has its build done by the service of the engine, whichever that is.
    engine = "" if word == "compose" else client
    return engine, verb if "".join(command[verb : verb + 1]) in verbs else -1


def _skip_options(client: str, command: Sequence[str], at: int) -> int:
    """Return the position of the first word that is neither an option nor an option's value."""
    while at < len(command) and command[at].startswith("-"):
        at += 2 if takes_value(client, command[at]) else 1
    return at
