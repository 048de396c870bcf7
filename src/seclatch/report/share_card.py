"""The report's picture: one start in 1200 by 630, as links show it. Pure.

An SVG file has no lines that wrap: texts are broken and cut here, by estimated widths.
"""

from __future__ import annotations

from dataclasses import dataclass

from seclatch.model.profile.fit_result import ProfileFit, ProfileSize
from seclatch.output.printable_text import make_printable
from seclatch.report.document.process_names import command_line, format_duration, list_some
from seclatch.report.document.report_document import Report, Section, Start

WIDTH, HEIGHT, MARGIN = 1200, 630, 56
_INNER = WIDTH - 2 * MARGIN
_SIZES = (46, 42, 38, 34)
"""Sizes of the headline: the largest in which each sentence has a line, if there is one."""
_LINES = 3
_WIDTHS = {
    **dict.fromkeys("ijlI'|!", 0.36),
    **dict.fromkeys(" .,:;()[]-/", 0.43),
    **dict.fromkeys("frt", 0.5),
    **dict.fromkeys("mwMW%@—…", 1.05),
}
_WIDTH, _REGULAR, _MONO = 0.73, 0.9, 0.605
"""Widths in parts of the font's size: of DejaVu Sans Bold, which is wide, other characters', of the
regular face as a part of the bold one's, and of a character of a monospaced one."""
_SHARES = {"filtered": 1.5}
_STATES = {
    "unfiltered": "no filter",
    "suspended": "filter loaded, suspended",
    "filtered": "under the filter",
}


@dataclass(frozen=True, slots=True)
class CardBox:
    """A part of the start; `begins`: the filter binds from its left edge."""

    x: float
    width: float
    state: str
    label: str
    name: str
    figures: str
    denied: str
    begins: bool = False


@dataclass(frozen=True, slots=True)
class CardMeter:
    """The open calls of a profile, as a bar."""

    kind: str
    name: str
    open: int
    width: float


@dataclass(frozen=True, slots=True)
class Card:
    """Everything on the card."""

    headline: list[str]
    size: int
    good: bool
    boxes: list[CardBox]
    meters: list[CardMeter]
    of: int
    command: str
    facts: str
    version: str


def lay_out_card(report: Report) -> Card:
    """Lay out the card of a report's first start."""
    summary = report.summary
    start = report.starts[0] if report.starts else None
    facts = " · ".join([*summary.runtimes[:2], *summary.hosts[:1]])
    command = command_line(summary.commands[0], 200) if summary.commands else ""
    size, lines = _fit_headline(headline(report))
    return Card(
        headline=lines,
        size=size,
        good=start is not None and start.outcome == "latched",
        boxes=_lay_out_boxes(start) if start else [],
        meters=_lay_out_meters(report.fit) if report.fit else [],
        of=report.fit.docker.of if report.fit else 0,
        command=cut_text(command, _INNER - 190, 17, mono=True),
        facts=cut_text(facts, 640, 18),
        version=cut_text(report.seclatch, 160, 17),
    )


def headline(report: Report) -> str:
    """Return the sentence that says what a report shows."""
    if report.starts:
        return report.starts[0].headline
    summary = report.summary
    return (
        f"{summary.processes:,} processes made {summary.calls:,} system calls; "
        f"{summary.denied:,} were denied."
    )


def _fit_headline(text: str) -> tuple[int, list[str]]:
    """Choose the size: sentences on lines of their own if they fit, else as few lines as may be."""
    sentences = [f"{part}." for part in text.removesuffix(".").split(". ")]
    for size in _SIZES:
        lines = [line for each in sentences for line in wrap_text(each, _INNER, size, _LINES)]
        if len(lines) <= max(2, len(sentences)):
            return size, lines[:_LINES]
    return _SIZES[2], wrap_text(text, _INNER, _SIZES[2], _LINES)


def _lay_out_boxes(start: Start) -> list[CardBox]:
    shares = [_SHARES.get(each.state, 1.0) for each in start.sections]
    if start.outcome == "refused":
        shares.append(1.0)
    unit = _INNER / sum(shares)
    boxes, x = [], float(MARGIN)
    for section, share in zip(start.sections, shares, strict=False):
        boxes.append(_make_box(section, round(x, 1), round(unit * share, 1)))
        x += unit * share
    if start.outcome == "refused":
        never = CardBox(
            round(x, 1), round(unit, 1), "never", "never reached", "the program", "", ""
        )
        boxes.append(never)
    return boxes


def _make_box(section: Section, x: float, width: float) -> CardBox:
    room = width - 40
    calls = f"{section.calls:,} call{'' if section.calls == 1 else 's'}"
    after = f", from {format_duration(section.time)}" if section.time is not None else ""
    denied = f"denied: {list_some(section.denied, 4)}" if section.denied else ""
    return CardBox(
        x,
        width,
        section.state,
        _STATES[section.state],
        cut_text(section.name.removesuffix(", filter loaded"), room, 21, bold=True),
        cut_text(calls + after, room, 17),
        cut_text(denied, room - 20, 17, bold=True),
        section.begins,
    )


def _lay_out_meters(fit: ProfileFit) -> list[CardMeter]:
    sizes: list[tuple[str, ProfileSize | None, str]] = [
        ("docker", fit.docker, "Docker's default"),
        ("given", fit.profile, fit.profile.name if fit.profile else ""),
        ("program", fit.program, "the program used"),
    ]
    room = _INNER - 330
    return [
        CardMeter(kind, cut_text(name, 230, 18), size.open, round(room * size.open / size.of, 1))
        for kind, size, name in sizes
        if size and size.of
    ]


def wrap_text(text: str, width: float, size: float, lines: int) -> list[str]:
    """Break a text into lines; the last one is cut."""
    found = [""]
    for word in make_printable(text).split():
        joined = f"{found[-1]} {word}".strip()
        if measure(joined) * size <= width or not found[-1]:
            found[-1] = joined
        else:
            found.append(word)
    kept = found[:lines]
    if found[lines:]:
        kept[-1] += " …"
    return [cut_text(line, width, size, bold=True) for line in kept]


def cut_text(
    text: str, width: float, size: float, *, bold: bool = False, mono: bool = False
) -> str:
    """Cut a text to a width in pixels."""
    text = make_printable(text)
    share = 1 if bold else _REGULAR
    room = width / size / share
    if measure(text, mono=mono) <= room:
        return text
    room -= measure("…", mono=mono)
    while text and measure(text, mono=mono) > room:
        text = text[:-1]
    return f"{text}…"


def measure(text: str, *, mono: bool = False) -> float:
    """Estimate a text's width, in parts of the font's size."""
    if mono:
        return _MONO / _REGULAR * len(text)
    return sum(_WIDTHS.get(character, _WIDTH) for character in text)
