"""`seclatch scan`: which system calls an image's programs could make, from their binaries."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seclatch.output.printable_text import make_printable

if TYPE_CHECKING:
    from seclatch.model.recording.executed_programs import ExecutedProgram
    from seclatch.model.recording.recording_sums import RecordingSums
    from seclatch.model.scan import Scan
    from seclatch.scan.image.image_command import ImageCommand


def _kernel(_ctx: click.Context, _param: click.Parameter, value: str | None) -> object:
    """Major and minor of a version, as `uname -r` gives it; what comes after is of no interest."""
    found = re.match(r"([0-9]{1,3})\.([0-9]{1,4})(?![0-9])", value or "")
    if value is not None and not found:
        raise click.BadParameter(f"{value!r} is not a kernel version such as 6.12")
    return (int(found[1]), int(found[2])) if found else None


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--entrypoint",
    "entrypoints",
    multiple=True,
    metavar="PATH",
    help="Scan this program instead of the image's command; may be given again.",
)
@click.option(
    "--recording",
    "recordings",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Scan too what was executed in it; may be given again.",
)
@click.option(
    "--health-cmd",
    "health_commands",
    multiple=True,
    metavar="COMMAND",
    help="Scan too what a container's health check runs, as given to docker run --health-cmd.",
)
@click.option("--all", "every", is_flag=True, help="Scan every executable in there.")
@click.option(
    "--plugin",
    "plugins",
    multiple=True,
    metavar="PATH",
    help="A library in there that the program loads by itself; may be given again.",
)
@click.option(
    "--arch",
    type=click.Choice(["x86_64", "aarch64"]),
    help="Which of several architectures of an image.  [default: this machine's]",
)
@click.option(
    "--kernel",
    metavar="VERSION",
    callback=_kernel,
    help="The oldest kernel that it will run on: leaves out what is for those before.  "
    "[default: 4.18]",
)
@click.option(
    "--main-loop",
    default="",
    metavar="FUNCTION",
    help="Tell apart what the program can call from this function on, for `generate --phase "
    "running`: aeMain of redis.",
)
@click.option("--why", metavar="CALL", help="Show the chain of functions that leads to a call.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of a table.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the scan there, for `seclatch generate --scan`.",
)
@click.option("--no-cache", is_flag=True, help="Analyse every file anew, and keep nothing.")
@click.argument("source", metavar="ROOTFS|IMAGE")
def command(
    entrypoints: tuple[str, ...],
    recordings: tuple[Path, ...],
    health_commands: tuple[str, ...],
    every: bool,
    plugins: tuple[str, ...],
    arch: str | None,
    kernel: tuple[int, int] | None,
    main_loop: str,
    why: str | None,
    as_json: bool,
    output: Path | None,
    no_cache: bool,
    source: str,
) -> None:
    """Find the system calls that an image's programs could make, from their binaries.

    ROOTFS is a root directory; IMAGE an OCI layout, an archive (docker save, podman save), or the
    name of an image that docker or podman has. Nothing in it is executed. The programs are those
    that its command and its HEALTHCHECK run, through scripts as far as these can be read, and with
    --recording those that were executed: children of scripts, exec sessions, health checks.

    The list has all calls that the program and its libraries can reach. If a number is unknown,
    the result is reported as open; record such a program too.

    \b
    Examples:
      seclatch scan nginx:latest
      seclatch scan --recording nginx.recording.json -o nginx.scan.json nginx:latest
      seclatch scan --entrypoint /usr/sbin/nginx -o nginx.scan.json /srv/rootfs
      seclatch scan --entrypoint /usr/bin/redis-server --main-loop aeMain -o redis.scan.json rootfs
      seclatch scan --entrypoint /usr/bin/redis-server --why execve rootfs
      seclatch generate nginx.recording.json --scan nginx.scan.json > nginx.json
    """
    from seclatch.cli.shared.result_output import write_result
    from seclatch.errors import SeclatchError
    from seclatch.report.tables import scan_tables as report

    if why is not None:
        _require_call(why)
    sums = _read_sums(recordings)
    executed, checks = _read_executed(sums.values())
    checks += [("/bin/sh", "-c", text) for text in health_commands]
    found = _scan(
        entrypoints,
        every,
        plugins,
        arch,
        kernel,
        no_cache,
        source,
        executed,
        tuple(checks),
        main_loop,
    )
    from seclatch.scan import scan_document

    if output is not None:
        write_result(scan_document.encode_scan(found), output)
    if why is not None:
        chains = list(report.explain_call(found, why))
        if not chains:
            raise SeclatchError(
                f"no chain leads to {why} in {source}",
                remedy="see which calls there are without --why",
                status=1,
            )
        for line in chains:
            click.echo(make_printable(line))
    elif as_json:
        click.echo(json.dumps(json.loads(scan_document.encode_scan(found)), indent=2))
    else:
        _table(found)
    for line in (*_list_other_images(sums, found), *report.list_doubts(found)):
        click.echo(f"seclatch: {make_printable(line)}", err=True)


def _read_sums(files: tuple[Path, ...]) -> dict[Path, RecordingSums]:
    from seclatch.recording.files.recording_file import read_sums

    return {path: read_sums(path) for path in files}


def _list_other_images(sums: dict[Path, RecordingSums], found: Scan) -> Iterator[str]:
    """Say which recordings are of another image: programs may have other names in this one."""
    from seclatch.profile.generate.match_inputs import describe_other_image

    for path, each in sums.items():
        for image, recorded, scanned in describe_other_image(each.images, found):
            yield (
                f"the recording is of another image than the scan: {path} of {image} {recorded}, "
                f"the scan of {found.source} {scanned}: what was executed in one may be elsewhere "
                "in the other"
            )


def _read_executed(
    sums: Iterable[RecordingSums],
) -> tuple[tuple[ExecutedProgram, ...], list[tuple[str, ...]]]:
    """Return what recordings show: programs, and the health checks that were asked for."""
    from seclatch.model.recording.recorded_programs import find_health_commands, list_executed

    sums = list(sums)
    executed = [program for each in sums for program in list_executed(each)]
    checks: list[tuple[str, ...]] = [
        ("/bin/sh", "-c", text)
        for each in sums
        for words in each.commands
        for text in find_health_commands(words)
    ]
    return tuple(executed), checks


def _require_call(name: str) -> None:
    """Raise an error for a name that is no system call."""
    from seclatch.model.arch import Arch
    from seclatch.model.syscall import load_syscalls

    if not any(name in load_syscalls(arch).numbers for arch in (Arch.X86_64, Arch.AARCH64)):
        raise click.BadParameter(f"there is no system call {name!r}", param_hint="--why")


def _table(found: Scan) -> None:
    from rich.console import Console

    from seclatch.report.tables import scan_tables as report

    report.show_scan(found, Console(highlight=False, soft_wrap=True))


def _scan(
    entrypoints: tuple[str, ...],
    every: bool,
    plugins: tuple[str, ...],
    arch: str | None,
    kernel: tuple[int, int] | None,
    no_cache: bool,
    source: str,
    executed: tuple[ExecutedProgram, ...],
    health_commands: tuple[tuple[str, ...], ...],
    main_loop: str,
) -> Scan:
    _require_parts()
    from seclatch.scan.analysis.library_rules import OLDEST
    from seclatch.scan.scan_rootfs import ScanRequest, scan_rootfs
    from seclatch.scan.summary import summary_cache

    place = None if no_cache else summary_cache.find_cache_directory()
    with _directory(source, arch) as (directory, image_command, digests):
        request = ScanRequest(
            directory,
            source,
            image_command,
            entrypoints,
            every,
            plugins,
            place,
            digests,
            kernel or OLDEST,
            executed,
            health_commands,
            main_loop,
        )
        with _progress() as told:
            return scan_rootfs(request, told)


@contextlib.contextmanager
def _directory(
    source: str, arch: str | None
) -> Iterator[tuple[Path, ImageCommand, tuple[str, ...]]]:
    from seclatch.model.arch import Arch
    from seclatch.scan.image import open_image
    from seclatch.scan.image.image_command import ImageCommand

    wanted = arch or Arch.native().title
    path = Path(source)
    if path.is_dir() and not (path / "oci-layout").is_file():
        if arch:
            raise click.UsageError("--arch chooses one of an image: a root directory has but one")
        yield path, ImageCommand(), ()
        return
    with contextlib.ExitStack() as stack:
        if not path.exists():
            path = stack.enter_context(open_image.save_image(source))
        found = stack.enter_context(open_image.open_image(path, wanted))
        yield found.directory, found.command, found.digests


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[int, int, str], None]]:
    """Show a progress bar on a terminal's stderr."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("scanning", total=None)

        def told(done: int, count: int, path: str) -> None:
            bar.update(task, completed=done, total=count, description=make_printable(path)[-40:])

        yield told


def _require_parts() -> None:
    from importlib.util import find_spec

    from seclatch.errors import SeclatchError
    from seclatch.runtime.installation import SCAN_PACKAGES, command_to_add

    missing = [name for name in ("iced_x86", "numpy") if find_spec(name) is None]
    if missing:
        raise SeclatchError(
            f"scanning needs the Python packages {' and '.join(missing)}, which are not installed",
            remedy=command_to_add(*SCAN_PACKAGES),
        )
