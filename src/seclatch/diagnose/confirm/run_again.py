"""Plan how a command is run again: as another container, under a given profile.

The second container shares nothing with the first one but what the user gave both: it has a name
of its own and is removed. What would need the first one's name, terminal or input is refused.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from seclatch.diagnose.confirm.client_command.client_options import find_client_option, takes_value
from seclatch.diagnose.confirm.client_command.refused_options import ENGINES, OWN, refuse_options
from seclatch.diagnose.confirm.client_command.run_options import FLAGS, RunOption, split_options
from seclatch.diagnose.confirm.client_command.second_run import (
    CannotRunAgainError,
    RunAgain,
    SecondRun,
    make_name,
    write_profile,
)
from seclatch.diagnose.confirm.effects.command_effects import (
    find_option,
    find_variable,
    find_wrapper,
)
from seclatch.diagnose.confirm.engine_run import ClientWords, plan_engine
from seclatch.diagnose.confirm.second_bundle import plan_runtime
from seclatch.diagnose.evidence.command_line import find_client

_LATCHED = {"seclatch-runc": "runc", "seclatch-crun": "crun"}


def plan_run_again(command: Sequence[str], *, isolated: bool = False) -> RunAgain:
    """Return how the command is run again. Raises CannotRunAgainError.

    `isolated`: without a network, without log and pull by an engine; and `doubt` is looked for.
    """
    at, client = _find_client(command)
    if at < 0:
        raise CannotRunAgainError(
            "it is none of docker run, podman run, nerdctl run, ctr run, runc run, crun run, "
            "seclatch run and seclatch apply, which can be given another profile"
        )
    words = list(command[at + 1 :])
    verb = _find_verb(client, words)
    before = [*command[: at + 1], *words[: verb + 1]]
    options, rest = split_options(client, words[verb + 1 :])
    refuse_options(client, options)
    if not rest:
        raise CannotRunAgainError("its command line names no image, container or program")
    kept = [option for option in options if option.name not in OWN[client]]
    doubt = ""
    if isolated:
        doubt = (
            find_wrapper(command[:at])
            or find_client_option(client, words[:verb])
            or find_option(client, options)
            or find_variable(os.environ)
        )
    if client == "seclatch" and words[verb] == "apply":
        doubt = "its program runs on this host, without a container"
    if client in ENGINES:
        # What stands between client and verb (-H, --context) also says where the container is.
        globals_ = [word for word in words[:verb] if word != "container"]
        engine = ClientWords(client, command[: at + 1], globals_, before)
        plan = plan_engine(engine, kept, rest, isolated=isolated)
    elif client == "ctr":
        plan = _plan_ctr(before, kept, rest, words[:verb])
    elif client == "seclatch":
        plan = _plan_seclatch(before, kept, rest)
    else:
        runtime = [*command[: at + 1], *words[:verb]]
        plan = plan_runtime(client, runtime, options, kept, isolated=isolated)
    return replace(plan, doubt=doubt) if isolated else plan


def _find_client(command: Sequence[str]) -> tuple[int, str]:
    """Return the position and the name of the client, or of the runtime below a latch."""
    for index, word in enumerate(command):
        if name := _LATCHED.get(PurePosixPath(word).name):
            return index, name
    at, client = find_client(command)
    return (at, client) if client in FLAGS else (-1, "")


def _find_verb(client: str, words: Sequence[str]) -> int:
    """Return where the verb `run` is. Raises CannotRunAgainError."""
    wanted = ("run", "apply") if client == "seclatch" else ("run",)
    groups = ("container",) if client in ENGINES else ()
    found = ""
    for index, word in enumerate(words):
        if word in wanted:
            return index
        value = index > 0 and takes_value(client, words[index - 1])
        if not word.startswith("-") and word not in groups and not value:
            found = word
            break
    raise CannotRunAgainError(
        f"only {client} run makes a container of its own; {client} {found} does not"
    )


def _words(options: Sequence[RunOption]) -> list[str]:
    return [word for option in options for word in option.words]


def _plan_ctr(
    before: Sequence[str],
    options: Sequence[RunOption],
    rest: Sequence[str],
    globals_: Sequence[str],
) -> RunAgain:
    if len(rest) < 2:
        raise CannotRunAgainError("its command line names no container")
    unprofiled = [option for option in options if option.name not in ("seccomp", "seccomp-profile")]
    client_words = before[: len(before) - 1 - len(globals_)]

    def make(number: str, folder: Path, profile: dict[str, Any] | None) -> SecondRun:
        name = make_name(number)
        given = options if profile is None else unprofiled
        added = ["--rm"]
        if profile is not None:
            added += ["--seccomp", "--seccomp-profile", str(write_profile(folder, profile))]
        client = (*client_words, *globals_)
        stop = (*client, "task", "kill", "--signal", "SIGKILL", name)
        removal = ((*client, "task", "delete", "--force", name), (*client, "container", "rm", name))
        words = (*before, *added, *_words(given), rest[0], name, *rest[2:])
        return SecondRun(words, (stop,), removal)

    return RunAgain("ctr", make, takes_input=True)


def _plan_seclatch(
    before: Sequence[str], options: Sequence[RunOption], rest: Sequence[str]
) -> RunAgain:
    unprofiled = [option for option in options if option.name != "profile"]

    def make(number: str, folder: Path, profile: dict[str, Any] | None) -> SecondRun:
        if profile is None:
            return SecondRun((*before, *_words(options), "--", *rest))
        given = ["--profile", str(write_profile(folder, profile))]
        return SecondRun((*before, *given, *_words(unprofiled), "--", *rest))

    return RunAgain("seclatch", make, takes_input=True)
