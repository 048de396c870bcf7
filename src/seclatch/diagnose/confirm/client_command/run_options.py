"""Split the options of a client's `run`, to find the image or container behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_DOCKER_FLAGS = """
    detach disable-content-trust help init interactive no-healthcheck oom-kill-disable privileged
    publish-all quiet read-only rm sig-proxy tty use-api-socket
"""
_PODMAN_FLAGS = """
    env-host http-proxy no-hostname no-hosts passwd read-only-tmpfs replace rmi rootfs tls-verify
    unsetenv-all
"""
_CTR_FLAGS = """
    rm null-io detach cni runc-systemd-cgroup remap-labels privileged-without-host-devices net-host
    privileged read-only tty allow-new-privs seccomp rootfs no-pivot isolated help
"""
_RUNTIME_FLAGS = "detach keep no-subreaper no-pivot no-new-keyring help"
_SECLATCH_FLAGS = """
    plain tty no-tty interactive rm no-new-privs read-only dry-run help allow-exec
"""
_LETTERS = {"d": "detach", "i": "interactive", "t": "tty", "q": "quiet", "P": "publish-all"}

FLAGS: Mapping[str, frozenset[str]] = {
    "docker": frozenset(_DOCKER_FLAGS.split()),
    "nerdctl": frozenset(_DOCKER_FLAGS.split()),
    "podman": frozenset((_DOCKER_FLAGS + _PODMAN_FLAGS).split()),
    "ctr": frozenset(_CTR_FLAGS.split()),
    "runc": frozenset(_RUNTIME_FLAGS.split()),
    "crun": frozenset(_RUNTIME_FLAGS.split()),
    "seclatch": frozenset(_SECLATCH_FLAGS.split()),
}
"""The options of each client's `run` that take no value; all others take one."""


@dataclass(frozen=True, slots=True)
class RunOption:
    """One option: its name without dashes, its value ("" for a flag), and its words."""

    name: str
    value: str
    words: tuple[str, ...]

    @property
    def is_set(self) -> bool:
        """Return whether a flag is on: `--rm=false` is not."""
        return self.value.lower() not in ("false", "0", "f")


def split_options(client: str, words: Sequence[str]) -> tuple[list[RunOption], list[str]]:
    """Return the options at the start of some words, and the words behind them."""
    found: list[RunOption] = []
    at = 0
    while at < len(words):
        word = words[at]
        if word == "--":
            return found, list(words[at + 1 :])
        if not word.startswith("-") or word == "-":
            break
        following = words[at + 1] if at + 1 < len(words) else ""
        # ctr and runc read `-name` as `--name`: urfave/cli, with Go's own rules for options.
        long = word.startswith("--") or (client in ("ctr", "runc") and len(word) > 2)
        read = _read_long if long else _read_letters
        options, used = read(client, word, following)
        found += options
        at += used
    return found, list(words[at:])


def _read_long(client: str, word: str, following: str) -> tuple[list[RunOption], int]:
    name, joined, value = word.lstrip("-").partition("=")
    if joined or name in FLAGS[client]:
        return [RunOption(name, value, (word,))], 1
    return [RunOption(name, following, (word, following))], 2


def _read_letters(client: str, word: str, following: str) -> tuple[list[RunOption], int]:
    """Read `-it`, `-e NAME`, `-eNAME`, `-dp 80:80`: a value ends the letters."""
    found = []
    for number, letter in enumerate(word[1:], start=1):
        name = _LETTERS.get(letter, letter)
        if name in FLAGS[client]:
            found.append(RunOption(name, "", (f"-{letter}",)))
            continue
        rest = word[number + 1 :]
        value = rest.removeprefix("=") if rest else following
        found.append(RunOption(name, value, (f"-{letter}", value)))
        return found, 1 if rest else 2
    return found, 1
