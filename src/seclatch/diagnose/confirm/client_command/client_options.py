"""Read the options between a client's name and its verb."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

_HELP = "h help v version"
# By client, or by a group of a client's verbs that has options of its own.
_FLAGS_TEXT: Mapping[str, str] = {
    "docker": f"{_HELP} D debug tls tlsverify",
    "podman": f"{_HELP} r remote syslog noout trace transient-store",
    "nerdctl": f"{_HELP} debug debug-full experimental insecure-registry",
    "buildah": _HELP,
    "buildx": f"{_HELP} D debug",
    "builder": f"{_HELP} D debug",
    "compose": f"{_HELP} all-resources compatibility dry-run verbose",
    "ctr": f"{_HELP} debug",
    "runc": f"{_HELP} debug systemd-cgroup",
    "crun": "help V version debug systemd-cgroup",
    "seclatch": "help",
}
_FLAGS = {client: frozenset(text.split()) for client, text in _FLAGS_TEXT.items()}
# Those that say where the container is made and what is printed about it, and nothing else: no file
# that is written, no program that is executed. A runtime's log is taken out of its command line.
_HARMLESS_TEXT: Mapping[str, str] = {
    "docker": """
        D debug tls tlsverify tlscacert tlscert tlskey H host c context config l log-level
    """,
    "podman": """
        cgroup-manager events-backend hooks-dir imagestore log-level network-config-dir root runroot
        runtime storage-driver storage-opt tmpdir transient-store volumepath
    """,
    "nerdctl": """
        debug debug-full experimental insecure-registry a address host H n namespace snapshotter
        storage-driver data-root cgroup-manager cni-path cni-netconfpath
    """,
    "ctr": "debug a address n namespace timeout connect-timeout",
    "runc": "debug systemd-cgroup root rootless log log-format",
    "crun": "debug systemd-cgroup cgroup-manager root rootless log log-format log-level",
    "seclatch": "",
}
_RUNTIMES = re.compile(r"(seclatch|seclatch-runc|seclatch-crun|runc|crun|io\.containerd\.runc\.v2)")
_HARMLESS = {client: frozenset(text.split()) for client, text in _HARMLESS_TEXT.items()}


def takes_value(client: str, word: str) -> bool:
    """Return whether the word after an option before the verb is its value."""
    name = _name(word)
    if not word.startswith("-") or "=" in word:
        return False
    if word.startswith("--") or client in ("ctr", "runc") or len(name) == 1:
        return name not in _FLAGS[client]
    # Letters that are joined: the first one that takes a value has what follows it.
    takers = [index for index, letter in enumerate(name) if letter not in _FLAGS[client]]
    return bool(takers) and takers[0] == len(name) - 1


def find_client_option(client: str, words: Sequence[str]) -> str:
    """Return why a client with such options is not run again unasked; "" if nothing is known."""
    value = False
    for index, word in enumerate(words):
        if value:
            value = False
            continue
        value = takes_value(client, word)
        if word.startswith("-") and _name(word) not in _HARMLESS[client]:
            return f"what its option {word.partition('=')[0]} does is not known here"
        given = "".join(words[index + 1 : index + 2]) if value else word.partition("=")[2]
        if _name(word) == "runtime" and (reason := find_runtime(given)):
            return reason
    return ""


def find_runtime(program: str) -> str:
    """Return why a program that an option names as the runtime is not known; "" if it is."""
    known = _RUNTIMES.fullmatch(PurePosixPath(program).name)
    return "" if known else f"what {program} does is not known here"


def _name(word: str) -> str:
    return word.lstrip("-").partition("=")[0]
