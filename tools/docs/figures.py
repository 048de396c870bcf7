"""The figures of docs/: the drawings of `seclatch report` of real starts, as SVG files."""

from __future__ import annotations

import re
from html import escape

from seclatch.output.printable_text import make_printable
from seclatch.report.compose_report import compose_report
from seclatch.report.document.report_document import Report, Start
from seclatch.report.timeline.timeline_chart import ChartRow, TimelineChart, lay_out_chart
from tools.docs.lab import STRICT, Lab
from tools.docs.listings import maker
from tools.docs.pages import DOCS

WIDTH, LEFT, ROW, TOP = 960, 300, 26, 132
COLOURS = {"unfiltered": "#dfe4ea", "suspended": "url(#hatch)", "filtered": "#0b6e5f"}
EDGES = {"unfiltered": "#7d8894", "suspended": "#8a5a00", "filtered": "#0b6e5f"}
RULERS = {"loaded": "#8a5a00", "binds": "#0b6e5f", "binds-early": "#b3261e", "exec": "#8a5a00"}
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1b1f24; } .soft { fill: #57606a; font-size: 11px; }
.big { font-size: 17px; font-weight: 700; } .strong { font-weight: 700; }
"""
HATCH = (
    '<pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" '
    'patternTransform="rotate(45)"><rect width="6" height="6" fill="#fff4dc"/>'
    '<rect width="2.5" height="6" fill="#f2b23c"/></pattern>'
)


def figure(lab: Lab, name: str, runtime: str) -> str:
    """Record a start, draw it into a file, and return the Markdown that shows it on a page."""
    for _ in range(5):  # a busy runc may have a futex denied as well
        command = ("sh", "-c", "mkdir /tmp/x; sleep 0.05")
        report = compose_report(lab.record_docker(*command, runtime=runtime, profile=STRICT))
        [start] = report.starts
        if "futex" not in start.headline:
            break
    file = DOCS / "figures" / f"{name}.svg"
    description = make_printable(f"{start.headline} {outline(start)}")
    if not lab.checking:
        file.write_text(draw(report, start, description))
    shown = re.search(r"<desc>(.*)</desc>", file.read_text())
    same = shown is not None and shown[1] == escape(description)
    return f"![{make_printable(start.headline)}](figures/{name}.svg)\n" + (
        "" if same else f"{file.name} differs from: {description}\n"
    )


def outline(start: Start) -> str:
    """Describe the strip in words, which a check can compare."""
    return "; ".join(f"{part.name}: {part.state}" for part in start.sections)


def draw(report: Report, start: Start, description: str) -> str:
    """Write the SVG."""
    laid = lay_out_chart(report)
    rows = [
        row
        for row in laid.rows
        if row.lane.process is not None and not row.lane.title.startswith("nsenter")
    ]
    height = TOP + ROW * len(rows) + 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" role="img">',
        f"<title>{escape(make_printable(start.headline))}</title><desc>{escape(description)}</desc>",
        f"<style>{STYLE}</style><defs>{HATCH}</defs>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text class="big" x="14" y="28">{escape(make_printable(start.headline))}</text>',
        legend(),
        *rulers(laid, height),
    ]
    for number, row in enumerate(rows):
        parts += lane(row, TOP + ROW * number)
    parts += [
        f'<text class="soft" x="{x(tick.x)}" y="{height - 8}" text-anchor="middle">'
        f"{tick.text}</text>"
        for tick in laid.ticks[1:-1]
    ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def x(percent: float) -> float:
    """Return the position on the axis of a time."""
    return round(LEFT + (WIDTH - LEFT - 20) * percent / 100, 1)


def legend() -> str:
    """Draw the legend of the tones."""
    words = {
        "unfiltered": "no filter",
        "suspended": "filter loaded, suspended by the latch",
        "filtered": "under the filter",
    }
    parts, place = [], 14
    for state, text in words.items():
        parts.append(
            f'<rect x="{place}" y="44" width="30" height="12" fill="{COLOURS[state]}" '
            f'stroke="{EDGES[state]}"/><text x="{place + 38}" y="55">{text}</text>'
        )
        place += 60 + 7 * len(text)
    return "".join(parts)


def rulers(laid: TimelineChart, height: int) -> list[str]:
    """Draw the lines through all lanes, each with its label."""
    parts = []
    for each in laid.rulers:
        place, colour = x(each.x), RULERS[each.kind]
        dashes = ' stroke-dasharray="4 3"' if each.kind in ("loaded", "exec") else ""
        top = 78 + 20 * each.row
        parts.append(
            f'<line x1="{place}" x2="{place}" y1="{top}" y2="{height - 24}" stroke="{colour}" '
            f'stroke-width="2"{dashes}/><text class="strong" x="{place + (-6 if each.end else 6)}" '
            f'y="{top + 12}" text-anchor="{"end" if each.end else "start"}" '
            f'style="fill:{colour}">{escape(each.text)}</text>'
        )
    return parts


def lane(row: ChartRow, y: int) -> list[str]:
    """Draw one process."""
    name = make_printable(row.lane.title)
    name = name if len(name) < 27 else name[:26] + "…"
    parts = [
        f'<text class="soft" x="14" y="{y + 14}">{row.lane.stage}</text>'
        f'<text x="98" y="{y + 14}">{escape(name)}</text>'
    ]
    for bar in row.bars:
        width = max(1.5, x(bar.x + bar.width) - x(bar.x))
        parts.append(
            f'<rect x="{x(bar.x)}" y="{y + 3}" width="{width:.1f}" height="14" '
            f'fill="{COLOURS[bar.state]}" stroke="{EDGES[bar.state]}"/>'
        )
    for glyph in row.glyphs:
        if glyph.kind == "denied":
            parts.append(
                f'<circle cx="{x(glyph.x)}" cy="{y + 10}" r="6.6" fill="#fff" stroke="#b3261e"/>'
                f'<path d="M{x(glyph.x) - 3.4:.1f},{y + 6.6} l6.8,6.8 m0,-6.8 l-6.8,6.8" '
                'stroke="#b3261e" stroke-width="2.6"/>'
            )
    return parts


@maker("figure-plain")
def plain(lab: Lab) -> str:
    """Draw a strict profile without the latch."""
    return figure(lab, "plain", "runc")


@maker("figure-latched")
def latched(lab: Lab) -> str:
    """Draw the same with the latch."""
    return figure(lab, "latched", "latched-runc")
