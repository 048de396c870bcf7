"""Scores as a table, as text and as a document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

import msgspec

from seclatch.output.printable_text import make_printable
from seclatch.profile.curated.kernel_cves import load_kernel_cves
from seclatch.profile.score.score_profile import ProfileScore, group_by_title

SCHEMA = "seclatch.profile-score/1"
_HEAD = ("CALLS", "SOME ARGS", "DANGEROUS", "ARGUMENTS", "CVES", "PROFILE")
_MOST = 8


def make_score_document(
    scores: Sequence[ProfileScore], bound: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """Return what --json prints; `processes` are those that the filters bind."""
    rows = []
    for score in scores:
        row = msgspec.to_builtins(score)
        rows.append({**row, "processes": list(bound.get(score.name, ()))})
    sources = {row.cve: row.source for row in load_kernel_cves().cves}
    return {"schema": SCHEMA, "scores": rows, "sources": sources}


def show_scores(
    scores: Sequence[ProfileScore], given: Set[str], bound: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    """Return a table with a row for each score, then what each of the given files leaves open."""
    rows = [_HEAD, *(_row(score) for score in scores)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(_HEAD) - 1)]
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=False)]
        yield "  ".join([*cells, row[-1]])
    for score in scores:
        if score.name in bound:
            yield from ("", *_show_processes(score, bound[score.name]))
        elif score.name in given:
            yield from ("", *_show_details(score))


def _row(score: ProfileScore) -> tuple[str, ...]:
    return (
        f"{score.open}/{score.known}",
        str(score.partly),
        str(len(score.dangerous)),
        str(len(score.arguments)),
        f"{len(score.reached)}/{score.cves}",
        make_printable(score.name),
    )


def _show_processes(score: ProfileScore, processes: Sequence[str]) -> Iterator[str]:
    more = f" and {len(processes) - _MOST} more" if len(processes) > _MOST else ""
    yield make_printable(score.name)
    yield f"  {len(processes)} processes: {make_printable(', '.join(processes[:_MOST]))}{more}"


def _show_details(score: ProfileScore) -> Iterator[str]:
    yield make_printable(score.name)
    yield f"  dangerous calls: {_list(score.dangerous)}"
    yield f"  arguments that open more: {_list(score.arguments)}"
    for default, calls in score.wider.items():
        if default != score.name:
            yield f"  open, and denied by {default}: {_list(calls)}"
    yield f"  kernel vulnerabilities within reach: {len(score.reached)} of {score.cves}"
    for title, cves in group_by_title(score.reached).items():
        yield f"    {title}: {', '.join(cves)}"


def _list(names: Sequence[str]) -> str:
    return make_printable(", ".join(names)) or "none"
