"""`seclatch report`: a recording as a page, in the terminal, or for machines."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from seclatch.model.profile.fit_result import ProfileFit
    from seclatch.model.recording.recording import Recording
    from seclatch.model.scan import Scan
    from seclatch.report.document.report_document import Report


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--profile",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Hold this profile against what was recorded  [default: the recorded one]",
)
@click.option(
    "--scan",
    "scan_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Show too what `seclatch scan -o FILE` found: recorded, or only in the binaries.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where the page goes  [default: the recording's name with .html]",
)
@click.option("--open", "show", is_flag=True, help="Show the page in a browser.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["html", "text", "json", "perfetto", "card"]),
    help="perfetto: the timeline as a trace for ui.perfetto.dev  [default: html]",
)
@click.option(
    "--card", "as_card", is_flag=True, help="As --format card: a picture of 1200 by 630, to share."
)
@click.option("--text", "as_text", is_flag=True, help="As --format text: tables in the terminal.")
@click.option("--json", "as_json", is_flag=True, help="As --format json: one JSON document.")
@click.argument("file", type=click.Path(path_type=Path), metavar="RECORDING")
def command(
    profile: Path | None,
    scan_file: Path | None,
    output: Path | None,
    show: bool,
    form: str | None,
    as_card: bool,
    as_text: bool,
    as_json: bool,
    file: Path,
) -> None:
    """Show where the filter begins: a recording as one self-contained HTML page.

    The page has the start's timeline, the system calls of each process, how a profile fits, and the
    tree of processes. It loads nothing, and can be sent to others as it is. Profiles are resolved
    as Docker does for a container with its default capabilities.

    \b
    Examples:
      seclatch record -o start.json -- docker run --rm IMAGE CMD
      seclatch report start.json --open
      seclatch report --profile strict.json -o strict.html start.json
      seclatch report --scan app.scan.json --text start.json
      seclatch report --format perfetto start.json > start.trace.json
      seclatch report --card -o start.png start.json
    """
    from seclatch.recording.files import recording_file
    from seclatch.report.compose_report import compose_report

    chosen = _choose_format(form, text=as_text, json=as_json, card=as_card)
    if show and chosen != "html":
        raise click.UsageError(f"--open shows the page, and there is none with --format {chosen}")
    recording = recording_file.read_recording(file)
    scan = _scan(scan_file, file, recording)
    report = compose_report(recording, _fit(recording, profile, scan), scan)
    if chosen not in _FILES:
        _write(report, chosen, output)
        return
    target = output or _beside(file, _FILES[chosen])
    _write(report, chosen, target)
    click.echo(f"seclatch: report: {target}", err=True)
    if show:
        _open(target)


_FILES = {"html": "html", "card": "card.svg"}
"""Formats that are written beside, and how the file's name ends; the others are printed."""


def _choose_format(form: str | None, **flags: bool) -> str:
    chosen = {form or "", *(name for name, given in flags.items() if given)} - {""}
    if len(chosen) > 1:
        raise click.UsageError("--format, --text, --json and --card exclude each other")
    return chosen.pop() if chosen else "html"


def _write(report: Report, form: str, output: Path | None) -> None:
    """Write in a format; what a format needs is imported for it alone."""
    from seclatch.cli.shared.result_output import emit_text, is_terminal, write_result

    if form == "text":
        from seclatch.report import terminal_report

        colour = output is None and is_terminal(sys.stdout) and not os.environ.get("NO_COLOR")
        width = terminal_report.measure_width()
        emit_text(terminal_report.render_report(report, width, colour=colour), output)
    elif form == "json":
        import msgspec

        write_result(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n", output)
    elif form == "perfetto":
        from seclatch.report.perfetto_trace import write_trace

        write_result(write_trace(report), output)
    elif form == "card":
        from seclatch.report.card_image import render_png
        from seclatch.report.html_page import render_card

        png = output is not None and output.suffix.lower() == ".png"
        write_result(render_png(report) if png else render_card(report), output)
    else:
        from seclatch.report.html_page import render_page

        write_result(render_page(report), output)


def _scan(scan_file: Path | None, file: Path, recording: Recording) -> Scan | None:
    """Read the scan. Raises SeclatchError for one of another image or architecture."""
    if scan_file is None:
        return None
    from seclatch.profile.generate.match_inputs import require_one_architecture, require_one_image
    from seclatch.scan import scan_document

    scan = scan_document.read_scan(scan_file)
    require_one_architecture({str(file): recording}, scan, str(scan_file))
    require_one_image({str(file): recording}, scan, str(scan_file))
    return scan


def _fit(recording: Recording, profile: Path | None, scan: Scan | None) -> ProfileFit | None:
    from seclatch.cli.shared.profile_options import read_given_profile
    from seclatch.model.arch import Arch
    from seclatch.profile.compile.resolve_profile import DEFAULT_CAPS, Engine, Host
    from seclatch.profile.generate.profile_fit import fit_profile

    if not profile:
        return _recorded_fit(recording, scan)
    arch = Arch.parse(recording.hosts[0].arch) if recording.hosts else Arch.native()
    kernel = recording.hosts[0].kernel if recording.hosts else os.uname().release
    release = re.match(r"(\d{1,3})\.(\d{1,3})", kernel)  # the recording is a file, with any words
    numbers = (int(release[1]), int(release[2])) if release else (0, 0)
    host = Host(arch, DEFAULT_CAPS[Engine.DOCKER], numbers)
    given = read_given_profile(profile, host).profile
    return fit_profile(recording, given, profile.name, scan)


def _recorded_fit(recording: Recording, scan: Scan | None) -> ProfileFit:
    """Hold the first container's own profile against it, as its engine resolved it."""
    import json

    from seclatch.errors import SeclatchError
    from seclatch.profile.generate.profile_fit import fit_profile
    from seclatch.profile.parse.load_profile import parse_profile

    for container in recording.containers:
        if container.profile:
            try:
                profile = parse_profile(json.dumps(container.profile), "the recorded profile")
            except SeclatchError:
                continue  # a recording is a file, and a file may say anything
            if profile.default_action:
                return fit_profile(recording, profile, "the recorded profile", scan)
    return fit_profile(recording, scan=scan)


def _beside(file: Path, ending: str) -> Path:
    """Name the result in the working directory: the recording's may not be writable."""
    name = "recording" if str(file) == "-" else file.name
    name = name.removesuffix(".gz").removesuffix(".json").removesuffix(".recording")
    return Path(f"{name}.{ending}")


def _open(target: Path) -> None:
    """Hand the page to the desktop's browser; where there is none, that is said."""
    import webbrowser

    if not webbrowser.open(target.resolve().as_uri()):
        click.echo("seclatch: report: no browser was found to show it in", err=True)
