"""An explanation for a terminal: what happened in one line, then evidence, then the remedy."""

from __future__ import annotations

import json
import shlex
import textwrap
from collections.abc import Iterator
from typing import Any

import click

from seclatch.output.printable_text import make_printable

_SHOWN, _SHOWN_VERBOSE = 3, 100
_WIDTH = 100
_INDENT = "  "
_DIFF_LINES, _DIFF_WIDTH = 20, 200
_VERDICTS = {
    True: ("seccomp:", "red"),
    False: ("not seccomp:", "green"),
    None: ("perhaps seccomp:", "yellow"),
}


def show_explanation(document: dict[str, Any], width: int, *, verbose: bool = False) -> str:
    """Return the explanation as styled text: what, why, and one thing to do; `verbose`: all.

    `document` is what `--json` prints; markup in its strings has no effect.
    """
    mark, colour = _VERDICTS[document["seccomp"]]
    if document["cause"] == "none":
        mark, colour = "no failure:", "green"
    head = click.style(f"{mark} ", fg=colour, bold=True)
    lines = [head + click.style(make_printable(document["summary"]), bold=True)]
    confirmation = document.get("confirmation") or {}
    shown = 2 if confirmation.get("runs") else 1  # what was tried, and the evidence of one run
    facts = document["evidence"] if verbose else document["evidence"][:shown]
    lines += [_wrapped(line, width, "• ") for line in facts]
    lines += _messages(document, verbose)
    for part in (
        _remedies(document, width, verbose),
        _denials(document, verbose),
        _needs(document, width),
    ):
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


def _messages(document: dict[str, Any], verbose: bool) -> Iterator[str]:
    """List the messages that what is above does not repeat."""
    above = "\n".join([document["summary"], *document["evidence"][:1]])
    messages = [each for each in document["messages"] if each["text"] not in above]
    for message in messages if verbose else messages[-1:]:
        who = click.style(f"{_INDENT}{make_printable(message['program'])} said: ", dim=True)
        yield who + make_printable(message["text"])


def _denials(document: dict[str, Any], verbose: bool) -> Iterator[str]:
    joined = _join_denials(document["denials"])
    if not joined:
        return
    yield click.style("denied", bold=True)
    most = _SHOWN_VERBOSE if verbose else _SHOWN
    chosen = sorted(joined, key=lambda each: (not each["fatal"], bool(each["instead"])))[:most]
    for each in sorted(chosen, key=lambda each: each["time"]):
        yield _denial(each)
    if len(joined) > most:
        how = "--json" if verbose else "--verbose"
        yield f"{_INDENT}… and {len(joined) - most} more ({how})"
    profile = next((each["rule"]["profile"] for each in joined if each["rule"]["profile"]), "")
    if profile:
        yield click.style(f"{_INDENT}profile: {make_printable(profile)}", dim=True)


def _join_denials(denials: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Join what many processes of one program were denied alike."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for each in denials:
        names = ("syscall", "errno", "signal", "program", "stage", "session", "fatal", "instead")
        key = (*(each[name] for name in names), *each["arguments"], each["rule"]["text"])
        if key in found:
            found[key]["count"] += each["count"]
            found[key]["pids"].add(each["pid"])
        else:
            found[key] = {**each, "pids": {each["pid"]}}
    return list(found.values())


def _denial(each: dict[str, Any]) -> str:
    call = make_printable(f"{each['syscall']}({', '.join(each['arguments'])})")
    result = each["errno"] or each["signal"] or "answered"
    times = f" {each['count']} times" if each["count"] > 1 else ""
    pids = each["pids"]
    whose = f"[{each['pid']}]" if len(pids) == 1 else f"({len(pids)} processes)"
    where = f"{each['program']} {whose}, {each['stage']}"
    if each["session"] == "exec":
        where += " of an exec"
    rule, instead = each["rule"]["text"], each["instead"]
    if each["rule"].get("line"):
        rule += f", line {each['rule']['line']}"
    then = {"": "", "nothing": "; it does without"}.get(instead, f"; {instead} was made instead")
    tail = click.style(make_printable(f"{where}; by {rule}{then}"), dim=True)
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


def _remedies(document: dict[str, Any], width: int, verbose: bool) -> Iterator[str]:
    remedies = document["remedies"]
    if not remedies:
        return
    yield click.style("what to do", bold=True)
    for remedy in remedies if verbose else remedies[:1]:
        yield _wrapped(remedy["text"], width, "→ ")
        yield from _pasted(remedy, verbose)
        if remedy["opens"] and verbose:
            yield _wrapped(f"it opens: {'; '.join(remedy['opens'])}", width, " " * 4, dim=True)
        elif remedy["opens"]:
            yield click.style(f"{_INDENT * 3}what it opens: --verbose", dim=True)
    more = len(remedies) - 1
    if more and not verbose:
        ways = "one more way" if more == 1 else f"{more} more ways"
        yield click.style(f"{_INDENT}({ways}: --verbose)", dim=True)


def _pasted(remedy: dict[str, Any], verbose: bool) -> Iterator[str]:
    """Show what is to be copied: commands, else a change of the file, else rules."""
    for command in (remedy["command"], remedy["then"]):
        if command:
            yield _paste(shlex.join(command))
    if remedy["diff"] and (verbose or not remedy["command"]):
        lines = remedy["diff"].splitlines()
        if any(len(line) > _DIFF_WIDTH for line in lines):
            lines = []
            yield _paste("--fix FILE writes the changed profile")
        yield from (_paste(line) for line in lines[:_DIFF_LINES])
        if len(lines) > _DIFF_LINES:
            yield _paste(f"… and {len(lines) - _DIFF_LINES} lines more: --fix FILE writes it")
    elif (
        remedy["rules"] and remedy["kind"] != "no-new-privs" and (verbose or not remedy["command"])
    ):
        yield _paste(_rules(remedy["rules"]))


def _paste(text: str) -> str:
    """One line, however long: it is to be copied."""
    return click.style(f"{_INDENT * 3}{make_printable(text)}", fg="cyan")


def _rules(rules: Any) -> str:
    if isinstance(rules, list):
        return ", ".join(json.dumps(rule) for rule in rules)
    return json.dumps(rules)[1:-1]
