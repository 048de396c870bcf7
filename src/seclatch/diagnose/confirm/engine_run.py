"""Plan further containers of an engine: docker, podman, nerdctl."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seclatch.diagnose.confirm.client_command.run_options import RunOption
from seclatch.diagnose.confirm.client_command.second_run import (
    RunAgain,
    SecondRun,
    make_name,
    write_profile,
)

_NETWORKS = ("network", "net")
# Options about the network, the image's registry and the engine's log, and what takes their place.
_OUTWARD_TEXT = """
    network net network-alias publish p publish-all expose ip ip6 mac-address dns dns-option dns-opt
    dns-search pull log-driver log-opt
"""
_OUTWARD = frozenset(_OUTWARD_TEXT.split())
_UNLOGGED = ("--network", "none", "--pull", "never", "--log-driver", "none")
# `podman rm --force` waits ten seconds for the program's own end; its --time is since Podman 4.0.
_KILLED_FIRST = ("podman",)
_ISOLATING = {"docker": _UNLOGGED, "podman": _UNLOGGED, "nerdctl": _UNLOGGED[:4]}


@dataclass(frozen=True, slots=True)
class ClientWords:
    """A client in a command line.

    `words` end with its name; `options` are its own, without the verb; `before`: all up to `run`.
    """

    name: str
    words: Sequence[str]
    options: Sequence[str]
    before: Sequence[str]


def plan_engine(
    client: ClientWords, options: Sequence[RunOption], rest: Sequence[str], *, isolated: bool
) -> RunAgain:
    """Return how a container is run again; `isolated`: without a network, and without a log.

    `options` are those of `run`, `rest` is the image and what follows it.
    """
    given = [option for option in options if not (isolated and option.name in _OUTWARD)]
    unprofiled = [
        option
        for option in given
        if option.name != "security-opt" or not option.value.startswith(("seccomp=", "seccomp:"))
    ]

    def make(number: str, folder: Path, profile: dict[str, Any] | None) -> SecondRun:
        name = make_name(number)
        added = ["--rm", "--name", name, *(_ISOLATING[client.name] if isolated else ())]
        if profile is not None:
            added += ["--security-opt", f"seccomp={write_profile(folder, profile)}"]
        kept = [word for one in (given if profile is None else unprofiled) for word in one.words]
        # Removed by force it would leave its volumes, those without a name, too.
        verbs = [("rm", "--force", "--volumes", name)]
        if client.name in _KILLED_FIRST:
            verbs.insert(0, ("kill", "--signal", "KILL", name))
        stop = tuple((*client.words, *client.options, *verb) for verb in verbs)
        return SecondRun((*client.before, *added, *kept, *rest), stop)

    interactive = any(option.name == "interactive" and option.is_set for option in options)
    unconnected = any(option.name in _NETWORKS and option.value == "none" for option in options)
    return RunAgain(
        client.name,
        make,
        takes_input=interactive,
        interactive=interactive,
        offline=isolated and not unconnected,
    )
