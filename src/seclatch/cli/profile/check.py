"""`seclatch profile check`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from seclatch.cli.profile.options import FILE, host_from, host_options
from seclatch.model.finding import Finding, Severity
from seclatch.profile.check import check, report
from seclatch.profile.load import parse_document, read
from seclatch.report.text import printable

_COLOURS = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.NOTE: "blue"}


@click.command()
@click.argument("files", nargs=-1, required=True, type=FILE, metavar="FILE…")
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each file, a line each.")
@click.option("--strict", is_flag=True, help="Fail on warnings too.")
@click.option("--no-notes", is_flag=True, help="Leave notes out.")
@host_options
def command(
    files: tuple[Path, ...], as_json: bool, strict: bool, no_notes: bool, **options: Any
) -> None:
    """Report errors and weaknesses of profiles, each with its remedy.

    The profile is judged as it is in force for a container with the engine's default
    capabilities on this machine; the options choose another. The exit status is 1 if there are
    errors, 2 if a file is no profile.

    \b
    Examples:
      seclatch profile check strict.json
      seclatch profile check --cap-add SYS_ADMIN --json default.json
      seclatch profile check --arch arm64 --strict *.json
    """
    host = host_from(options)
    failed = False
    for file in files:
        findings = check(parse_document(read(file), str(file)), host)
        if no_notes:
            findings = [each for each in findings if each.severity is not Severity.NOTE]
        if as_json:
            click.echo(json.dumps(report(str(file), host, findings)))
        else:
            _print(str(file), findings)
        failed |= any(_fails(finding, strict) for finding in findings)
    if failed:
        click.get_current_context().exit(1)


def _fails(finding: Finding, strict: bool) -> bool:
    return finding.severity is Severity.ERROR or (strict and finding.severity is Severity.WARNING)


def _print(source: str, findings: list[Finding]) -> None:
    """The form that compilers use and editors read: file:line:column: severity: message."""
    for finding in findings:
        where = f"{finding.line}:{finding.column}: " if finding.line else ""
        severity = click.style(finding.severity.value, fg=_COLOURS[finding.severity], bold=True)
        message = printable(finding.message)
        click.echo(f"{printable(source)}:{where or ' '}{severity}: {message} [{finding.code}]")
        if finding.remedy:
            click.echo(f"  {printable(finding.remedy)}")
    if not findings:
        click.echo(f"{printable(source)}: no findings")
