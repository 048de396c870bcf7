"""A difference of two profiles as Markdown, for a pull request, and as SARIF, for code scanning."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from seclatch.output.printable_text import clip_printable
from seclatch.profile.meaning.diff_profiles import CallChange, CallEffect, ProfileDifference
from seclatch.profile.meaning.wider_change import POSSIBLY_WIDER, is_wider, is_wider_change
from seclatch.profile.profile_input import ProfileInput
from seclatch.version import __version__

_RULES = {
    CallEffect.ALLOWED: ("call-allowed", "error", "A call is newly allowed."),
    CallEffect.MIXED: ("arguments-allowed", "error", "A call is newly allowed for some arguments."),
    CallEffect.UNDECIDED: ("undecided", "warning", "A change could not be decided."),
    CallEffect.DENIED: ("call-denied", "note", "A call is newly denied."),
    CallEffect.ACTION: ("other-denial", "note", "A denied call gets another answer."),
}
_OTHER_RULES = {
    "decided-elsewhere": ("error", "A call is newly left to an agent or a tracer."),
    "abi-opened": ("error", "A whole ABI was killed and is now filtered."),
    "abi-closed": ("note", "A whole ABI was filtered and is now killed."),
}
_SARIF = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)


def name_call(change: CallChange) -> str:
    """Name the call of a change, or the calls without a rule."""
    if change.name == "*":
        return "every call without a rule"
    name = clip_printable(change.name, 200)
    return f"calls without a rule, {name}" if name.startswith("#") else name


def write_markdown(
    before: str, after: str, found: ProfileDifference, uncompared: Sequence[str] = ()
) -> str:
    """Return a heading and a table, what got wider first."""
    verdict = "wider" if is_wider(found, uncompared) else "not wider" if found else "the same"
    lines = [f"### Seccomp profile {_cell(after)}: {verdict}", ""]
    lines += [f"- **Not compared, and may be wider:** {_cell(each)}" for each in uncompared]
    lines += [""] if uncompared else []
    if not found:
        rest = "means the same otherwise" if uncompared else "means the same"
        return "\n".join([*lines, f"{_cell(before)} {rest}.", ""])
    lines += [f"Compared with {_cell(before)}.", "", "| Call | Change | ABI | Was | Now |"]
    lines.append("|---|---|---|---|---|")
    for arch in found.opened:
        lines.append(f"| all | **whole ABI newly filtered** | {arch.title} | killed | filtered |")
    for change in sorted(found.changes, key=lambda one: not is_wider_change(one)):
        lines.append(_row(change))
    for arch in found.closed:
        lines.append(f"| all | whole ABI newly killed | {arch.title} | filtered | killed |")
    return "\n".join([*lines, ""])


def _row(change: CallChange) -> str:
    effect = change.effect.value
    cells = [
        _cell(name_call(change)),
        f"**{effect}**" if is_wider_change(change) else effect,
        ", ".join(arch.title for arch in change.arches),
        "<br>".join(map(_cell, change.before)),
        "<br>".join(map(_cell, change.after)),
    ]
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    """Write a code span: names come from a file of the pull request, and may try to end the cell.

    Within a span neither HTML nor mentions (`@name`) are acted on; GFM splits cells before spans.
    """
    escaped = re.sub(r"[`|]", lambda found: f"\\x{ord(found[0]):02x}", clip_printable(text, 500))
    return f"`{escaped}`"


def write_sarif(
    after: ProfileInput, found: ProfileDifference, uncompared: Sequence[str] = ()
) -> str:
    """Return a SARIF 2.1.0 log; each result points at the first rule that names the call."""
    results = [
        *(_abi_result("abi-opened", arch.scmp, after.name) for arch in found.opened),
        *(_abi_result("abi-closed", arch.scmp, after.name) for arch in found.closed),
        *(_result(change, after.name, _find_line(after, change.name)) for change in found.changes),
        *(_make_result("undecided", "warning", each, after.name, 1) for each in uncompared),
    ]
    driver = {"name": "seclatch", "version": __version__, "rules": _list_rules()}
    log = {
        "$schema": _SARIF,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results}],
    }
    return json.dumps(log, indent=1) + "\n"


def _list_rules() -> list[dict[str, Any]]:
    named = {name: (level, text) for name, level, text in _RULES.values()} | _OTHER_RULES
    return [
        {
            "id": name,
            "shortDescription": {"text": text},
            "defaultConfiguration": {"level": level},
        }
        for name, (level, text) in named.items()
    ]


def _result(change: CallChange, after: str, line: int) -> dict[str, Any]:
    rule, level, _ = _RULES[change.effect]
    if change.effect not in POSSIBLY_WIDER and is_wider_change(change):
        rule, level = "decided-elsewhere", "error"
    arches = ", ".join(arch.title for arch in change.arches)
    was, now = (clip_printable("; ".join(side)) for side in (change.before, change.after))
    text = f"{name_call(change)}: {change.effect.value} ({arches}); was {was}, now {now}"
    return _make_result(rule, level, text, after, line)


def _abi_result(rule: str, name: str, after: str) -> dict[str, Any]:
    level, text = _OTHER_RULES[rule]
    return _make_result(rule, level, f"{name}: {text}", after, 1)


def _make_result(rule: str, level: str, text: str, after: str, line: int) -> dict[str, Any]:
    # Code scanning looks for the file from the repository's root, where the command runs.
    uri = quote(os.path.relpath(after) if Path(after).is_absolute() else after)
    place = {"artifactLocation": {"uri": uri}, "region": {"startLine": line}}
    return {
        "ruleId": rule,
        "level": level,
        "message": {"text": text},
        "locations": [{"physicalLocation": place}],
    }


def _find_line(given: ProfileInput, call: str) -> int:
    """Return the line of the first rule that names a call, else of the default action, else 1."""
    for index, rule in enumerate(given.profile.rules):
        if call in rule.names:
            return given.place(index).line or 1
    default = given.document.locate(("defaultAction",)) if given.document else None
    return default.line if default and default.line else 1
