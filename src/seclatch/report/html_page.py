"""The report as one HTML file, which asks for nothing and runs nothing but what is in it."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from seclatch.model.stage import Stage
from seclatch.output.printable_text import make_printable
from seclatch.report.document import process_names
from seclatch.report.document.report_document import Report
from seclatch.report.document.syscall_matrix import NEEDS, show_scan_verdict
from seclatch.report.share_card import headline, lay_out_card
from seclatch.report.timeline.timeline_chart import lay_out_chart

MAX_TEXT = 8192
"""Characters of one text at most: a file may say anything, and a page must stay a page."""


def render_page(report: Report) -> str:
    """Write the page."""
    style, script = _asset("style.css"), _asset("script.js")
    scanned = bool(report.matrix.scan)
    return (
        _environment()
        .get_template("page.html")
        .render(
            report=report,
            card=lay_out_card(report),
            headline=headline(report),
            description=_describe(report),
            chart=lay_out_chart(report),
            style=Markup(style),  # noqa: S704 (both are ours)
            script=Markup(script),  # noqa: S704
            policy=_policy(style, script),
            meanings={each.value: each.meaning for each in Stage},
            needs={need: text for need, text in NEEDS.items() if need != "static" or scanned},
            words=process_names,
        )
    )


def _describe(report: Report) -> str:
    """Describe the page for a link to it."""
    summary = report.summary
    command = process_names.command_line(summary.commands[0], 100) if summary.commands else ""
    figures = f"{summary.processes:,} processes, {summary.calls:,} system calls"
    return f"{command}: {figures}, {summary.denied:,} denied".removeprefix(": ")


def render_card(report: Report) -> str:
    """Write the picture of a report as SVG."""
    return _environment().get_template("card.svg").render(card=lay_out_card(report))


def _policy(style: str, script: str) -> str:
    """Nothing is loaded, sent or framed; the two inline texts are known by their hashes.

    A picture may be made of text in the page, to be copied as PNG.
    """
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _asset(name: str) -> str:
    return resources.files("seclatch.report").joinpath("templates", name).read_text()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("seclatch.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_harmless,
    )
    environment.filters |= {
        "count": lambda number: f"{number:,}",
        "command": process_names.command_line,
        "duration": process_names.format_duration,
        "listed": process_names.list_some,
        "pretty": _pretty,
        "verdict": show_scan_verdict,
        "heat": _heat,
    }
    return environment


def _harmless(value: Any) -> Any:
    """Escape control characters and bidirectional marks, and cut overlong text.

    Copied text may be pasted into a terminal, and a name must not read as another one. Jinja
    escapes HTML afterwards. Nothing that a recorder writes is as long as what is cut off.
    """
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    text = value if len(value) <= MAX_TEXT else value[: MAX_TEXT - 1] + "…"
    return make_printable(text)


def _pretty(text: str) -> Markup:
    """Keep the lines of a profile that we wrote; JSON escapes control characters itself."""
    return Markup("\n").join(Markup.escape(make_printable(line)) for line in text.splitlines())


def _heat(count: int) -> int:
    """How dark a count is: 0 to 5, by powers of ten."""
    return min(5, len(str(count))) if count else 0
