"""Arguments and options that the subcommands share."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from seclatch.cli.shared.result_output import print_warnings
from seclatch.model import capability
from seclatch.model.arch import Arch
from seclatch.profile.compile.resolve_profile import DEFAULT_CAPS, Engine, Host
from seclatch.profile.parse.default_documents import NAMES, default_version
from seclatch.profile.parse.profile_source import read_source
from seclatch.profile.profile_input import ProfileInput, read_profile_input, require_action

_ALL = "ALL"

F = TypeVar("F", bound=Callable[..., Any])

FILE = click.Path(path_type=Path, allow_dash=True)


class _ProfileFile(click.Path):
    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Complete files, and the names of the engines' default profiles once one is begun."""
        named = [name for name in NAMES if incomplete and name.startswith(incomplete)]
        return [CompletionItem(name) for name in named] or super().shell_complete(
            ctx, param, incomplete
        )


PROFILE = _ProfileFile(path_type=Path, allow_dash=True)
"""A profile to read: a file, standard input, or an engine's own."""


def _arch(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Arch:
    """Read any spelling of an architecture; without one it is this machine's."""
    try:
        return Arch.parse(value) if value else Arch.native()
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def _kernel(_ctx: click.Context, _param: click.Parameter, value: str | None) -> tuple[int, int]:
    """Read `6.12` or `6.12.3-amd64`; without one it is this machine's."""
    text = value or os.uname().release
    match = re.match(r"(\d{1,3})\.(\d{1,3})", text)
    if not match:
        raise click.BadParameter(f"{text!r} is not a kernel version such as 6.12")
    return int(match[1]), int(match[2])


def _caps(_ctx: click.Context, _param: click.Parameter, value: Sequence[str]) -> frozenset[str]:
    """Read names of capabilities; ALL stays a word of its own."""
    try:
        return frozenset(
            _ALL if name.upper() == _ALL else capability.parse_capability(name) for name in value
        )
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


def host_options(function: F) -> F:
    """Add the options that say for which host and container a profile is resolved."""
    engines = click.Choice([engine.value for engine in Engine])
    options = [
        click.option("--arch", callback=_arch, help="The host's architecture (this machine's)."),
        click.option("--kernel", callback=_kernel, help="The host's kernel (this machine's)."),
        click.option(
            "--engine",
            type=engines,
            default=Engine.DOCKER.value,
            show_default=True,
            help="The engine that reads the conditions and sets default capabilities.",
        ),
        click.option("--cap-add", multiple=True, callback=_caps, help="A capability more, or ALL."),
        click.option("--cap-drop", multiple=True, callback=_caps, help="One less, or ALL."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def host_from(options: dict[str, Any]) -> Host:
    """Return the host that the options of `host_options` describe."""
    engine = Engine(options["engine"])
    added, dropped = options["cap_add"], options["cap_drop"]
    if engine is Engine.PODMAN:
        _refuse_both(added, dropped)
    return Host(options["arch"], _tweak(engine, added, dropped), options["kernel"], engine)


def _tweak(engine: Engine, added: frozenset[str], dropped: frozenset[str]) -> frozenset[str]:
    """Apply added and dropped capabilities, as Moby's oci/caps and containers-common do.

    With ALL added only names are dropped, and with ALL dropped what is added by name stays; else
    what is added counts last.
    """
    if _ALL in added:
        return capability.ALL - dropped
    if _ALL in dropped:
        return added
    return (DEFAULT_CAPS[engine] - dropped) | added


def _refuse_both(added: frozenset[str], dropped: frozenset[str]) -> None:
    """Podman starts no container for these."""
    if _ALL in added & dropped:
        raise click.UsageError("Podman refuses --cap-add ALL with --cap-drop ALL")
    both = sorted(added & dropped)
    if both and _ALL not in added | dropped:
        raise click.UsageError(f"Podman refuses {both[0]}: both added and dropped")


def read_given_profile(file: Path, host: Host) -> ProfileInput:
    """Read a profile once and resolve it, or decompile a raw BPF program.

    Warns of what the rules do not say; InputError for the empty profile, which says nothing.
    """
    found = require_action(read_profile_input(read_source(file), host))
    if found.name in NAMES:
        caps = ", ".join(sorted(name.removeprefix("CAP_") for name in host.caps)) or "none"
        print_warnings(
            found.name, [f"that of {default_version(found.name)}, with the capabilities {caps}"]
        )
    print_warnings(found.name, found.warnings)
    return found
