"""The result of a round of `seclatch node`: lines, or JSON objects."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from seclatch.cli.shared.print_error import print_error
from seclatch.output.printable_text import clip_printable, make_printable

if TYPE_CHECKING:
    from seclatch.agent.node_agent import RoundResult

PROFILES = "seclatch.node-profiles/1"
LATCH = "seclatch.node-latch/1"
COUNTS = "seclatch.node-counts/1"


def print_json(done: RoundResult) -> None:
    """Print an object for each part of the round that was asked for and done."""
    if done.latch or "latch" in done.errors or done.label:
        click.echo(json.dumps({"schema": LATCH, **_latch_value(done)}))
    if done.profiles:
        found = done.profiles
        names = {"there": found.there, "added": found.added, "removed": found.removed}
        click.echo(json.dumps({"schema": PROFILES, **names, "failed": found.failed}))
    if done.shipped:
        counts = done.shipped
        value = {
            "pushed": counts.pushed,
            "merged": counts.merged,
            "sampled_out": counts.sampled_out,
            "dropped": counts.dropped,
            "failed": counts.failed,
        }
        click.echo(json.dumps({"schema": COUNTS, **value}))
    print_errors(done)


def _latch_value(done: RoundResult) -> dict[str, Any]:
    latch = done.latch
    return {
        "ready": latch is not None,
        "changed": latch.changed if latch else [],
        "restarted": latch.restarted if latch else False,
        "probed": latch.probed if latch else False,
        "label": done.label,
        "problem": "" if latch else str(done.errors.get("latch", "")),
    }


def print_lines(done: RoundResult) -> None:
    """Print what changed; nothing for a round that found all as it should be."""
    for line in _list_lines(done):
        click.echo(make_printable(line))
    print_errors(done)


def _list_lines(done: RoundResult) -> Iterator[str]:
    if done.latch:
        yield from done.latch.changed
        yield from ["restarted containerd"] if done.latch.restarted else []
        yield from ["a probe container started latched"] if done.latch.probed else []
    if done.profiles:
        yield from (f"added {name}" for name in done.profiles.added)
        yield from (f"removed {name}" for name in done.profiles.removed)
    yield from [f"label {done.label}"] if done.label else []
    if done.shipped:
        yield from (f"pushed {reference}" for reference in done.shipped.pushed)
        yield from (f"dropped {name}: more than --ship-limit" for name in done.shipped.dropped)


def print_errors(done: RoundResult) -> None:
    """Print what failed to standard error."""
    if done.profiles:
        for name, problem in done.profiles.failed.items():
            _say(f"{name}: {problem}")
    for problem in done.shipped.failed if done.shipped else []:
        _say(problem)
    for error in done.errors.values():
        print_error(error)


def _say(sentence: str) -> None:
    click.echo(f"seclatch: {clip_printable(sentence, 1000)}", err=True)
