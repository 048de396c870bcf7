"""`seclatch profile check`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from seclatch.cli.shared.print_error import print_error
from seclatch.cli.shared.profile_options import PROFILE, host_from, host_options
from seclatch.cli.shared.result_output import require_stdout
from seclatch.errors import InputError
from seclatch.model.profile.finding import Finding, Severity
from seclatch.output.printable_text import clip_printable, make_printable
from seclatch.profile.check_profile import (
    check_profile,
    check_program,
    not_a_profile,
    report_findings,
)
from seclatch.profile.compile.resolve_profile import Host
from seclatch.profile.document_errors import find_faults
from seclatch.profile.parse.load_profile import parse_document
from seclatch.profile.parse.profile_source import ProfileSource, read_source
from seclatch.profile.parse.text_position import PlacedError

_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "blue"}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("files", nargs=-1, required=True, type=PROFILE, metavar="FILE…")
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each file, a line each.")
@click.option("--strict", is_flag=True, help="Fail on warnings too.")
@click.option("--no-notes", is_flag=True, help="Leave notes out.")
@host_options
def command(
    files: tuple[Path, ...], as_json: bool, strict: bool, no_notes: bool, **options: Any
) -> None:
    """Report errors and weaknesses of profiles, each with its remedy.

    The profile is judged as it is in force for a container with the engine's default
    capabilities on this machine; the options choose another. A raw BPF program is judged by the
    rules that it decompiles to. The exit status is 1 if there are errors, 2 if a file is no
    profile; the others are checked all the same.

    \b
    Examples:
      seclatch profile check strict.json
      seclatch profile check --cap-add SYS_ADMIN --json default.json
      seclatch profile check --arch arm64 --strict *.json
    """
    require_stdout()
    host = host_from(options)
    status = 0
    for file in files:
        name = str(file)
        source = None
        try:
            source = read_source(file)
            findings = _check(source, host)
        except InputError as error:
            status = 2
            errors: list[InputError] = [*_all_faults(source)] or [error]
            findings = [not_a_profile(each) for each in errors]
            if not as_json:
                for each in errors:
                    print_error(each)
                continue
        if no_notes:
            findings = [each for each in findings if each.severity is not Severity.NOTE]
        if as_json:
            click.echo(json.dumps(report_findings(name, host, findings)))
        else:
            _print(name, findings)
        status = max(status, int(any(_fails(finding, strict) for finding in findings)))
    click.get_current_context().exit(status)


def _all_faults(source: ProfileSource | None) -> list[PlacedError]:
    """List everything that breaks the format; empty for what could not be read at all."""
    if source is None or source.is_program:
        return []
    try:
        return find_faults(source.text(), source.name)
    except InputError:  # not UTF-8
        return []


def _check(source: ProfileSource, host: Host) -> list[Finding]:
    if source.is_program:
        from seclatch.profile.parse.raw_program import recover_profile

        return check_program(recover_profile(source, host.arch), host)
    return check_profile(parse_document(source.text(), source.name), host)


def _fails(finding: Finding, strict: bool) -> bool:
    return finding.severity is Severity.ERROR or (strict and finding.severity is Severity.WARNING)


def _print(source: str, findings: list[Finding]) -> None:
    """Print findings as compilers do and editors read: file:line:column: severity: message."""
    for finding in findings:
        where = f"{finding.line}:{finding.column}: " if finding.line else ""
        severity = click.style(finding.severity.value, fg=_COLOURS[finding.severity], bold=True)
        message = clip_printable(finding.message)
        code = finding.code if finding.rule is None else f"{finding.code}, rule {finding.rule}"
        click.echo(f"{make_printable(source)}:{where or ' '}{severity}: {message} [{code}]")
        if finding.remedy:
            click.echo(f"  {clip_printable(finding.remedy)}")
    if not findings:
        click.echo(f"{make_printable(source)}: no findings")
