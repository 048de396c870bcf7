"""`seclatch profile score`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from seclatch.cli.shared.profile_options import (
    PROFILE,
    host_from,
    host_options,
    read_given_profile,
)
from seclatch.cli.shared.result_output import print_warnings, require_stdout
from seclatch.profile.compile.resolve_profile import Engine, Host, narrow_profile
from seclatch.profile.meaning.rule_meaning import read_meaning
from seclatch.profile.parse.default_documents import NAMES
from seclatch.profile.score.filter_stack import FilterStack, StackLayer, open_decided_elsewhere

if TYPE_CHECKING:
    from seclatch.profile.profile_input import ProfileInput
    from seclatch.profile.score.score_profile import ProfileScore


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("files", nargs=-1, type=PROFILE, metavar="FILE...")
@click.option("--host", "whole_host", is_flag=True, help="All that runs: each process's filters.")
@click.option("--no-engines", is_flag=True, help="With --host: do not ask engines for names.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, schema profile-score/1.")
@host_options
def command(
    files: tuple[Path, ...], whole_host: bool, no_engines: bool, as_json: bool, **options: Any
) -> None:
    """Count what profiles leave open, beside Docker's and Podman's default.

    Counted are the calls that are open for some arguments at least, those of them that open a new
    kind of power, and public vulnerabilities of the kernel of which no needed call is denied. A
    vulnerability that takes a capability counts for a container without it if it may make a user
    namespace. Fewer is better; the table says nothing of vulnerabilities that it does not have.

    With --host the filters of all processes are read back from the kernel, each set of them once,
    with the capabilities that those processes have; the most exposed come first.

    \b
    Examples:
      seclatch profile score strict.json
      seclatch profile score old.json new.json --json
      seclatch profile score --cap-drop ALL docker-default
      seclatch profile score --host
    """
    from seclatch.cli.profile.score_output import make_score_document, show_scores

    require_stdout()
    if not files and not whole_host:
        raise click.UsageError("give FILE or --host")
    scores = [*_score_files(files, options)]
    bound: dict[str, list[str]] = {}
    if whole_host:
        found, bound = _score_host(options, names=not no_engines)
        scores += found
    scores += _score_defaults(options, {str(file) for file in files})
    if as_json:
        click.echo(json.dumps(make_score_document(scores, bound)))
        return
    for line in show_scores(scores, set(map(str, files)), bound):
        click.echo(line)


def _make_layer(given: ProfileInput, host: Host) -> StackLayer:
    profile = open_decided_elsewhere(given.profile)
    return StackLayer(read_meaning(profile, host.arch), given.beyond)


def _stack(file: Path, host: Host) -> FilterStack:
    given = read_given_profile(file, host)
    return FilterStack([_make_layer(given, host)])


def _default_stacks(options: dict[str, Any]) -> dict[str, FilterStack]:
    """Read the engines' defaults as containers with these capabilities get them."""
    from seclatch.profile.curated.default_profiles import load_default

    found = {}
    for engine in Engine:
        host = host_from({**options, "engine": engine.value})
        profile = narrow_profile(load_default(engine), host)
        found[f"{engine.value}-default"] = FilterStack(
            [StackLayer(read_meaning(profile, host.arch))]
        )
    return found


def _score_files(files: tuple[Path, ...], options: dict[str, Any]) -> list[ProfileScore]:
    from seclatch.profile.score.score_profile import score_profile

    host = host_from(options)
    defaults = _default_stacks(options)
    scores = []
    for file in files:
        at = _engine_host(file, host, options)
        scores.append(score_profile(str(file), _stack(file, at), at.arch, at.caps, defaults))
    return scores


def _engine_host(file: Path, host: Host, options: dict[str, Any]) -> Host:
    """Read an engine's default as that engine does."""
    if str(file) in NAMES and not file.exists():
        return host_from({**options, "engine": str(file).removesuffix("-default")})
    return host


def _score_defaults(options: dict[str, Any], given: set[str]) -> list[ProfileScore]:
    from seclatch.profile.score.score_profile import score_profile

    stacks = _default_stacks(options)
    host = host_from(options)
    scores = []
    for name, stack in stacks.items():
        if name not in given:
            caps = host_from({**options, "engine": name.removesuffix("-default")}).caps
            scores.append(score_profile(name, stack, host.arch, caps, stacks))
    return scores


def _score_host(
    options: dict[str, Any], *, names: bool
) -> tuple[list[ProfileScore], dict[str, list[str]]]:
    """Score each distinct set of filters, and list the processes that each binds."""
    from seclatch.errors import SeclatchError
    from seclatch.model.capability import name_capabilities
    from seclatch.process.filter_stacks import read_host_filters
    from seclatch.profile.score.score_profile import score_profile

    host = host_from(options)
    defaults = _default_stacks(options)
    found = read_host_filters(names=names)
    layers: dict[bytes, StackLayer] = {}
    scores, bound = [], {}
    for (codes, mask), processes in found.stacks.items():
        who = f"{processes[0].pid} ({processes[0].command})"
        try:
            stack = FilterStack([_read_layer(code, host, layers) for code in codes])
        except SeclatchError as error:
            found.notes.append(f"the filters of process {who} and its like are left out: {error}")
            continue
        name = f"filters of {who}" if codes else f"no seccomp: {who}"
        caps = name_capabilities(mask)
        scores.append(score_profile(name, stack, host.arch, caps, defaults))
        bound[name] = [
            f"{each.pid} {each.command}{f' ({each.place})' if each.place else ''}"
            for each in processes
        ]
    print_warnings("score", found.notes)
    return sorted(scores, key=lambda score: score.order()), bound


def _read_layer(code: bytes, host: Host, layers: dict[bytes, StackLayer]) -> StackLayer:
    """Decompile a program once."""
    from seclatch.profile.parse.profile_source import ProfileSource
    from seclatch.profile.profile_input import give_program

    if code not in layers:
        given = give_program(ProfileSource("a live filter", code), host, in_force=True)
        layers[code] = _make_layer(given, host)
    return layers[code]
