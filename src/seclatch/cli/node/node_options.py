"""Options of `seclatch node` for the latch and for shipping recordings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from seclatch.cli.shared.duration import parse_duration
from seclatch.cli.shared.registry_options import REFERENCE, require_optional_repository
from seclatch.runtime.find_latch import RUNTIMES

F = TypeVar("F", bound=Callable[..., Any])

ENGINES = ("containerd", "docker", "podman")


def latch_options(function: F) -> F:
    """Add the options that say which latch is kept installed."""
    options = [
        click.option(
            "--install",
            type=click.Choice(ENGINES),
            help="Install the latch for this engine, and prove it by a start.",
        ),
        click.option(
            "--runtime",
            type=click.Choice(RUNTIMES),
            help="The runtime behind the latch.  [default: runc; for podman crun, if there is one]",
        ),
        click.option("--default", is_flag=True, help="Make it the engine's default runtime."),
        click.option(
            "--no-restart",
            is_flag=True,
            help="Do not restart containerd after its configuration changed: fail until you do.",
        ),
        click.option(
            "--root",
            type=click.Path(exists=True, file_okay=False, path_type=Path),
            default=Path("/"),
            show_default=True,
            metavar="DIR",
            help="Where the running host's root is mounted, in a container with the host's pids.",
        ),
        click.option(
            "--label",
            default="",
            metavar="NODE",
            help="Label this node of the cluster seclatch.io/latch=ready; by the pod's account.",
        ),
        click.option(
            "--record-annotations",
            is_flag=True,
            help="Have containers recorded that have the annotation seclatch.record=NAME, by "
            "`seclatch record serve` or the host's own recorder.",
        ),
        click.option("--remove", is_flag=True, help="Undo --install and --label instead."),
    ]
    return _add(function, options)


def shipping_options(function: F) -> F:
    """Add the options that say what is sent of recordings, where and how often."""
    options = [
        click.option(
            "--ship",
            type=REFERENCE,
            callback=require_optional_repository,
            metavar="HOST/REPOSITORY",
            help="Push the counts of recordings there, then remove the recordings.",
        ),
        click.option(
            "--recordings",
            type=click.Path(file_okay=False, path_type=Path),
            default=Path("/var/lib/seclatch/recordings"),
            show_default=True,
            metavar="DIR",
            help="Where they are.",
        ),
        click.option(
            "--counts",
            type=click.Path(file_okay=False, path_type=Path),
            default=Path("/var/lib/seclatch/counts"),
            show_default=True,
            metavar="DIR",
            help="Where the node keeps what it has counted so far.",
        ),
        click.option(
            "--ship-every",
            callback=parse_duration,
            default="1h",
            show_default=True,
            metavar="TIME",
            help="How often, with --every.",
        ),
        click.option(
            "--ship-percent",
            type=click.FloatRange(0, 100),
            default=100,
            show_default=True,
            metavar="N",
            help="How many of a hundred nodes send the counts of an image.",
        ),
        click.option(
            "--ship-limit",
            type=click.IntRange(min=1),
            default=64,
            show_default=True,
            metavar="MIB",
            help="How much is kept on disk; beyond, what was not added to for longest is dropped.",
        ),
        click.option(
            "--sign",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            metavar="KEY",
            help="Sign counts with this ECDSA key (PEM; its password in SECLATCH_SIGN_PASSWORD).",
        ),
    ]
    return _add(function, options)


def _add(function: F, options: Sequence[Callable[[F], F]]) -> F:
    for option in reversed(options):
        function = option(function)
    return function
