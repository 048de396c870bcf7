"""Rewrite the user's command line to use the latch, no_new_privs, or a capability."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from seclatch.diagnose.evidence.container_bundles import find_option_values
from seclatch.diagnose.evidence.image_build import (
    builds_image,
    takes_step_options,
    with_step_option,
)

_INSTALL_DIRECTORY = "/usr/local/lib/seclatch"
_ENGINES = {"docker": "docker", "podman": "podman", "nerdctl": "containerd", "ctr": "containerd"}
_START_VERBS = ("run", "create")
# Verbs for an existing container, or after which `run` has another meaning.
_OTHER_VERBS = (
    "exec",
    "start",
    "restart",
    "attach",
    "wait",
    "logs",
    "build",
    "compose",
    "kube",
    "play",
)
_WITH_PROFILE = ("docker", "podman", "nerdctl")
_DEFAULT_NAMES = ("", "builtin")
# The options by which clients take a profile.
_PROFILE_OPTIONS = {
    **dict.fromkeys(_WITH_PROFILE, ("--security-opt",)),
    "ctr": ("--seccomp-profile",),
    "seclatch": ("--profile",),
}
_ALL_PROFILE_OPTIONS = tuple(
    dict.fromkeys(option for options in _PROFILE_OPTIONS.values() for option in options)
)


def find_client(command: Sequence[str]) -> tuple[int, str]:
    """Find the client in a command line, also if wrapped: its position and name; else (-1, "")."""
    for index, word in enumerate(command):
        name = PurePosixPath(word).name
        if name in (*_ENGINES, "runc", "crun", "seclatch"):
            return index, name
    return -1, ""


def with_latch(command: Sequence[str], runtime: str) -> list[str]:
    """Return the command under the latch; [] if it is not known how."""
    words = list(command)
    at, client = find_client(words)
    if client in ("runc", "crun"):
        words[at] = f"seclatch-{client}"
        return words
    if client == "seclatch":
        return [word for word in words if word != "--plain"] if "--plain" in words else []
    verb = _find_verb(words, at)
    places = {"docker": verb + 1, "podman": at + 1, "ctr": verb + 1}
    if verb < 0 or client not in places:
        return []
    option, value = "--runtime", "seclatch"
    if client == "ctr":
        option, value = "--runc-binary", f"{_INSTALL_DIRECTORY}/containerd/{runtime}"
    return _set_option(words, places[client], option, value)


def with_no_new_privs(command: Sequence[str]) -> list[str]:
    """Return the command with no_new_privs; [] if it is not known how."""
    words = list(command)
    at, client = find_client(words)
    verb = _find_verb(words, at)
    if verb < 0:
        return []
    if client in _WITH_PROFILE:
        return [*words[: verb + 1], "--security-opt", "no-new-privileges", *words[verb + 1 :]]
    if client == "seclatch":
        return [*words[: verb + 1], "--no-new-privs", *words[verb + 1 :]]
    if client == "ctr" and "--allow-new-privs" in words:
        return [word for word in words if word != "--allow-new-privs"]
    return []


def with_capability(command: Sequence[str], name: str) -> list[str]:
    """Return the command with one more capability; [] if it is not known how."""
    if takes_step_options(command):
        return with_step_option(command, "--cap-add", name.removeprefix("CAP_"))
    words = list(command)
    at, client = find_client(words)
    verb = _find_verb(words, at)
    if verb < 0 or client not in (*_ENGINES, "seclatch"):
        return []
    value = name if client == "ctr" else name.removeprefix("CAP_")
    return [*words[: verb + 1], "--cap-add", value, *words[verb + 1 :]]


def with_profile(command: Sequence[str], file: str) -> list[str]:
    """Return the command with another profile; [] if it is not known how."""
    words = list(command)
    at, client = find_client(words)
    if client == "seclatch":
        return _set_option(words, at + 2, "--profile", file)
    verb = _find_verb(words, at)
    of_steps = takes_step_options(command)
    if not of_steps and (verb < 0 or client not in _WITH_PROFILE):
        return []
    value = f"seccomp={file}"
    for index in range(at + 1, len(words)):
        if words[index].startswith("seccomp=") and words[index - 1] == "--security-opt":
            return [*words[:index], value, *words[index + 1 :]]
        if words[index].startswith("--security-opt=seccomp="):
            return [*words[:index], f"--security-opt={value}", *words[index + 1 :]]
    if of_steps:
        return with_step_option(words, "--security-opt", value)
    return [*words[: verb + 1], "--security-opt", value, *words[verb + 1 :]]


def name_own_profile(command: Sequence[str]) -> str:
    """Return the name of the engine's own profile that is in force; "" if another one is."""
    if not has_own_profile(command):
        return ""
    return "podman-default" if find_client(command)[1] == "podman" else "docker-default"


def has_own_profile(command: Sequence[str]) -> bool:
    """Return whether the engine's own profile is in force.

    The client has one, and no other is given. For a container that was made before (`docker exec`)
    the command line does not show it.
    """
    at, client = find_client(command)
    made = _find_verb(command, at) >= 0
    return made and client in _WITH_PROFILE and given_profile(command) in _DEFAULT_NAMES


def needed_install(command: Sequence[str]) -> str:
    """Return the engine for which the latch is not installed; "" if it is, or none is needed."""
    engine = _ENGINES.get(find_client(command)[1], "")
    return "" if not engine or Path(_INSTALL_DIRECTORY, engine).is_dir() else engine


def given_profile(command: Sequence[str]) -> str:
    """Return the profile that the command line names; "" for the engine's own.

    For a known client only its own option counts: the image's program may have one of the same
    name.
    """
    client = find_client(command)[1]
    options = _PROFILE_OPTIONS.get(client, _ALL_PROFILE_OPTIONS)
    for index, word in enumerate(command):
        following = command[index + 1] if index + 1 < len(command) else ""
        option, joined, value = word.partition("=")
        if option not in options:
            continue
        named = value if joined else following
        if option != "--security-opt":
            return named
        if named.startswith("seccomp="):
            return named.partition("=")[2]
    return ""


def find_applied_profile(command: Sequence[str]) -> str:
    """Return the profile of `seclatch apply`, which puts it on a program without a container."""
    at, client = find_client(command)
    return given_profile(command) if client == "seclatch" and "apply" in command[at:] else ""


def given_bundle(command: Sequence[str]) -> str:
    """Return config.json of the bundle in a runtime's arguments, which has the profile; else ""."""
    at, client = find_client(command)
    if client not in ("runc", "crun") or not {"run", "create"} & set(command[at:]):
        return ""
    words = tuple(command[at:])
    named = [*find_option_values(words, "--bundle"), *find_option_values(words, "-b")]
    return str(PurePosixPath(named[-1] if named else ".", "config.json"))


def name_profile(command: Sequence[str]) -> str:
    """Return a name for the profile of a start by this command; "" if only its bundle has it."""
    given, client = given_profile(command), find_client(command)[1]
    default = client in _WITH_PROFILE and _find_verb(command, 0) >= 0
    if builds_image(command):
        return given or "the builder's own profile"
    return given or (f"{client}'s own default profile" if default else "")


def _find_verb(words: Sequence[str], at: int) -> int:
    """Return the position of the verb that makes a container; -1 if there is none."""
    for index in range(max(at, 0) + 1, len(words)):
        if words[index] in _START_VERBS:
            return index
        if words[index] in _OTHER_VERBS:
            break
    return -1


def _set_option(words: list[str], at: int, option: str, value: str) -> list[str]:
    """Insert an option, or replace its value where it is set already."""
    for index, word in enumerate(words[:-1]):
        if word == option:
            return [*words[: index + 1], value, *words[index + 2 :]]
        if word.startswith(f"{option}="):
            return [*words[:index], f"{option}={value}", *words[index + 1 :]]
    return [*words[:at], option, value, *words[at:]]
