"""An explanation for a terminal: what happened in one line, then evidence, then the remedy."""

from __future__ import annotations

import json
import shlex
import textwrap
from collections.abc import Iterator
from typing import Any

import click

from seclatch.output.printable_text import make_printable

_MAX = 12
_WIDTH = 100
_INDENT = "  "
_VERDICTS = {
    True: ("seccomp:", "red"),
    False: ("not seccomp:", "green"),
    None: ("perhaps seccomp:", "yellow"),
}


def show_explanation(document: dict[str, Any], width: int) -> str:
    """Return the explanation as styled text.

    `document` is what `--json` prints; markup in its strings has no effect.
    """
    mark, colour = _VERDICTS[document["seccomp"]]
    if document["cause"] == "none":
        mark, colour = "no failure:", "green"
    head = click.style(f"{mark} ", fg=colour, bold=True)
    lines = [head + click.style(make_printable(document["summary"]), bold=True)]
    lines += [_wrapped(line, width, "• ") for line in document["evidence"]]
    lines += _messages(document)
    for part in (_denials(document), _needs(document, width), _remedies(document, width)):
        found = list(part)
        lines += ["", *found] if found else []
    if document["incomplete"]:
        lines += ["", f"{document['incomplete']} events were lost: a denial may be missing"]
    return "\n".join(lines) + "\n"


def _wrapped(text: str, width: int, mark: str, **style: Any) -> str:
    room = max(40, min(width, _WIDTH) - len(_INDENT) - len(mark))
    first, *rest = textwrap.wrap(make_printable(text), room) or [""]
    lines = [f"{_INDENT}{mark}{first}", *(f"{_INDENT}{' ' * len(mark)}{line}" for line in rest)]
    return click.style("\n".join(lines), **style) if style else "\n".join(lines)


def _messages(document: dict[str, Any]) -> Iterator[str]:
    """List the messages that the summary does not repeat."""
    for message in document["messages"]:
        if message["text"] not in document["summary"]:
            who = click.style(f"{_INDENT}{make_printable(message['program'])} said: ", dim=True)
            yield who + make_printable(message["text"])


def _denials(document: dict[str, Any]) -> Iterator[str]:
    denials = document["denials"]
    if not denials:
        return
    yield click.style("denied", bold=True)
    chosen = sorted(denials, key=lambda each: not each["fatal"])[:_MAX]
    for each in sorted(chosen, key=lambda each: each["time"]):
        yield _denial(each)
    if len(denials) > _MAX:
        yield f"{_INDENT}… and {len(denials) - _MAX} more (--json has all)"
    profile = next((each["rule"]["profile"] for each in denials if each["rule"]["profile"]), "")
    if profile:
        yield click.style(f"{_INDENT}profile: {make_printable(profile)}", dim=True)


def _denial(each: dict[str, Any]) -> str:
    call = make_printable(f"{each['syscall']}({', '.join(each['arguments'])})")
    result = each["errno"] or each["signal"] or "answered"
    times = f" {each['count']} times" if each["count"] > 1 else ""
    where = f"{each['program']} [{each['pid']}], {each['stage']}"
    if each["session"] == "exec":
        where += " of an exec"
    tail = click.style(make_printable(f"{where}; by {each['rule']['text']}"), dim=True)
    fatal = each["fatal"]
    mark = click.style("✗", fg="red") if fatal else click.style("·", dim=True)
    return f"{_INDENT}{mark} {click.style(call, bold=fatal)} → {result}{times}  {tail}"


def _needs(document: dict[str, Any], width: int) -> Iterator[str]:
    needs = document["needs"]
    if not needs or not needs["calls"]:
        return
    title = f"all that {make_printable(needs['runtime'])} needs and this profile denies"
    title += {
        "trial": " (found by one start under the latch)",
        "exec": " (found by one exec under the latch)",
        "table": " (as measured before, for lack of a trial here)",
        "seen": ", as far as it got: the profile is not known",
    }[needs["found"]]
    yield click.style(title, bold=True)
    names = [each["syscall"] + ("?" if each["sometimes"] else "") for each in needs["calls"]]
    yield _wrapped(" ".join(names), width, "")
    if any(each["sometimes"] for each in needs["calls"]):
        yield click.style(f"{_INDENT}(? not in every start)", dim=True)


def _remedies(document: dict[str, Any], width: int) -> Iterator[str]:
    if not document["remedies"]:
        return
    yield click.style("what to do", bold=True)
    for remedy in document["remedies"]:
        yield _wrapped(remedy["text"], width, "→ ")
        if remedy["command"]:
            yield _paste(shlex.join(remedy["command"]))
        if remedy["rules"] and remedy["kind"] != "no-new-privs":
            yield _paste(_rules(remedy["rules"]))
        if remedy["opens"]:
            yield _wrapped(f"it opens: {'; '.join(remedy['opens'])}", width, " " * 4, dim=True)


def _paste(text: str) -> str:
    """One line, however long: it is to be copied."""
    return click.style(f"{_INDENT * 3}{make_printable(text)}", fg="cyan")


def _rules(rules: Any) -> str:
    if isinstance(rules, list):
        return ", ".join(json.dumps(rule) for rule in rules)
    return json.dumps(rules)[1:-1]
