"""`seclatch profile fit`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from seclatch.cli.shared.profile_options import (
    PROFILE,
    host_from,
    host_options,
    read_given_profile,
)
from seclatch.cli.shared.result_output import require_stdout
from seclatch.output.printable_text import make_printable
from seclatch.profile.generate.find_gaps import (
    ProfileGap,
    find_recorded_gaps,
    find_scanned_gaps,
)
from seclatch.profile.meaning import rule_meaning

if TYPE_CHECKING:
    from seclatch.model.recording.recording import Recording
    from seclatch.model.scan import Scan

SCHEMA = "seclatch.profile-fit/1"
_FILES = click.Path(path_type=Path)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("profile", type=PROFILE)
@click.option(
    "--recording",
    "recordings",
    multiple=True,
    type=_FILES,
    metavar="FILE",
    help="What the new release did; may be given again.",
)
@click.option(
    "--scan",
    "scans",
    multiple=True,
    type=_FILES,
    metavar="FILE",
    help="What the new release could do; may be given again.",
)
@click.option(
    "--before",
    multiple=True,
    type=_FILES,
    metavar="FILE",
    help="A scan of the old release: what it has already is not reported.",
)
@click.option("--json", "as_json", is_flag=True, help="As JSON, schema profile-fit/1.")
@host_options
def command(
    profile: Path,
    recordings: tuple[Path, ...],
    scans: tuple[Path, ...],
    before: tuple[Path, ...],
    as_json: bool,
    **options: Any,
) -> None:
    """Tell what a new image or release needs and the profile denies.

    The exit status is 0 if the profile fits, 1 if it denies a call that was recorded, or one that a
    scan found; 2 on errors. Calls that programs do without (they get ENOSYS), and dangerous ones
    that only a scan found, are listed and do not count.

    \b
    Examples:
      seclatch profile fit app.json --recording new.recording.json
      seclatch profile fit app.json --scan new.scan.json --before old.scan.json
    """
    require_stdout()
    if not recordings and not scans:
        raise click.UsageError("give --recording FILE or --scan FILE")
    if before and not scans:
        raise click.UsageError("--before is of no use without --scan FILE")
    host = host_from(options)
    read = rule_meaning.read_meaning(read_given_profile(profile, host).profile, host.arch)
    gaps = _find(read, str(profile), recordings, scans, before)
    if as_json:
        rows = [msgspec.to_builtins(gap) for gap in gaps]
        click.echo(json.dumps({"schema": SCHEMA, "fits": not _counted(gaps), "gaps": rows}))
    else:
        _print(gaps)
    click.get_current_context().exit(1 if _counted(gaps) else 0)


def _find(
    read: rule_meaning.ProfileMeaning,
    profile: str,
    recordings: tuple[Path, ...],
    scans: tuple[Path, ...],
    before: tuple[Path, ...],
) -> list[ProfileGap]:
    """Find what is denied. Raises SeclatchError for files of another architecture."""
    from seclatch.profile.generate.match_inputs import require_architecture
    from seclatch.recording.files.recording_file import read_recording
    from seclatch.scan.scan_document import read_scan

    arch = read.arches[0].title

    def read_checked(path: Path) -> Scan:
        scan = read_scan(path)
        require_architecture(arch, profile, scan, str(path))
        return scan

    old = [read_checked(path) for path in before]
    gaps: list[ProfileGap] = []
    for path in recordings:
        recording = read_recording(path)
        _require_recorded_on(arch, profile, recording, path)
        gaps += find_recorded_gaps(read, recording, str(path))
    for path in scans:
        gaps += find_scanned_gaps(read, read_checked(path), str(path), old)
    return gaps


def _require_recorded_on(arch: str, profile: str, recording: Recording, path: Path) -> None:
    """Raise SeclatchError for a recording without the architecture: it would seem to fit."""
    from seclatch.errors import SeclatchError

    recorded = sorted({host.arch for host in recording.hosts})
    if recorded and arch not in recorded:
        raise SeclatchError(
            f"recorded on another architecture: {path} on {', '.join(recorded)}, and {profile} "
            f"is read for {arch}",
            remedy=f"choose the profile's by --arch {recorded[0]}, or record on {arch}",
            status=2,
        )


def _counted(gaps: list[ProfileGap]) -> list[ProfileGap]:
    return [gap for gap in gaps if gap.counts]


def _print(gaps: list[ProfileGap]) -> None:
    for gap in sorted(gaps, key=lambda gap: not gap.counts):
        mark = "-" if gap.counts else " "
        click.echo(make_printable(f"{mark} {gap.call}: {gap.reason} ({gap.source})"))
    if not _counted(gaps):
        click.echo("the profile fits")
