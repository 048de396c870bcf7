"""Options of the commands that reach a registry, and the limit of their time."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import click

from seclatch.errors import SeclatchError
from seclatch.registry.reference import Reference, parse_reference
from seclatch.registry.registry_http import RegistryAccess

F = TypeVar("F", bound=Callable[..., Any])

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


class ReferenceType(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """A reference to a registry."""

    name = "reference"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Reference:
        """Parse the word. Raises InputError, with the rule that it breaks."""
        return value if isinstance(value, Reference) else parse_reference(str(value))


REFERENCE = ReferenceType()


def require_image(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str:
    """Read an image that is pinned by digest; "" without one."""
    if not value:
        return ""
    image = parse_reference(value)
    if not image.digest:
        raise click.BadParameter(f"{value} is not pinned by digest: give NAME@sha256:DIGEST")
    return str(image.pin(image.digest))


def read_identity(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str:
    """Read the name of a repository; "" without one."""
    if not value:
        return ""
    found = parse_reference(value)
    if found.tag or found.digest:
        raise click.BadParameter(f"{value} has a tag or a digest: give HOST/REPOSITORY alone")
    return found.name


def require_repository(_ctx: click.Context, _param: click.Parameter, value: Reference) -> Reference:
    """Refuse a tag or digest: the tags in the repository are given by the command."""
    if value.tag or value.digest:
        raise click.BadParameter(f"{value} has a tag or digest: give {value.name}")
    return value


def require_optional_repository(
    ctx: click.Context, param: click.Parameter, value: Reference | None
) -> Reference | None:
    """Refuse a tag or digest of a repository that may be missing."""
    return None if value is None else require_repository(ctx, param, value)


def registry_options(
    function: F, seconds: int = 60, limited: str = "For everything together."
) -> F:
    """Add the options that say how a registry is reached, and how long that may take."""
    options = [
        click.option(
            "--auth-file",
            type=_FILE,
            metavar="FILE",
            help="Credentials; else those of podman login, skopeo login or docker login.",
        ),
        click.option(
            "--ca-file",
            type=_FILE,
            metavar="FILE",
            help="Certificates that the registry's is checked against, instead of the system's.",
        ),
        click.option(
            "--plain-http", is_flag=True, help="HTTP without TLS; to a registry on loopback only."
        ),
        click.option(
            "--plain-http-to",
            multiple=True,
            metavar="HOST[:PORT]",
            help="HTTP to this registry, too: everyone between reads the credentials.",
        ),
        click.option(
            "--timeout",
            type=click.FloatRange(1, 86400),
            default=seconds,
            show_default=True,
            metavar="SECONDS",
            help=limited,
        ),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def access_from(options: dict[str, Any]) -> RegistryAccess:
    """Return what the options of `registry_options` say, and take them out."""
    return RegistryAccess(
        options.pop("auth_file"),
        options.pop("ca_file"),
        options.pop("plain_http"),
        frozenset(options.pop("plain_http_to")),
    )


@contextlib.contextmanager
def limit_time(seconds: float, what: str) -> Iterator[None]:
    """Raise SeclatchError when the time is over, whatever is waited for.

    A hostile registry can send a byte every few seconds for ever: time-outs of single reads do not
    end that.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's
        return

    def end(_number: int, _frame: FrameType | None) -> None:
        raise SeclatchError(
            f"{what}: not finished within {seconds:g} seconds", remedy="--timeout SECONDS"
        )

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
