"""What a report says, as values: the page, the terminal and `--json` show this and no more.

Times are seconds from the beginning of the recording. Names, arguments and paths are as they were
recorded: whoever shows them makes them harmless (`seclatch.output.printable_text.make_printable`,
HTML escapes).
"""

from __future__ import annotations

import inspect
from typing import Any

import msgspec

from seclatch.model.profile.fit_result import ProfileFit

SCHEMA = 1
"""Version of the document; it changes when a field changes its meaning or goes."""


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The recording in figures. `missing` tells what it lacks, a sentence each."""

    commands: list[list[str]]
    started: str
    duration: float
    runs: int
    hosts: list[str]
    runtimes: list[str]
    software: list[str]
    processes: int
    calls: int
    denied: int
    missing: list[str]


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a start between two moments.

    `state` is `unfiltered`, `suspended` or `filtered`; `begins`: the filter binds from here;
    `denied`: names of calls.
    """

    name: str
    state: str
    stages: list[str]
    time: float | None
    calls: int
    denied: list[str]
    begins: bool = False


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """How one container's process came to be, or (`joined`) one brought into a running container.

    `outcome`: `latched` (the filter binds from the program's exec), `bound-runtime` (it bound the
    runtime first), `refused` (the program was never exec'd), `unfiltered`,
    `inherited` (a filter was there before), `found` (it ran when the recording began).
    `only_runtime` are calls that a profile has to allow for the runtime alone.
    """

    session: int
    container: str
    image: str
    runtime: str
    joined: bool
    process: int
    program: list[str]
    status: int | None
    outcome: str
    headline: str
    loaded: float | None
    binds: float | None
    executed: float | None
    sections: list[Section]
    only_runtime: list[str]


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a process' life in one stage and one state; `latched` while a tracer suspends."""

    begin: float
    end: float
    stage: str
    state: str
    latched: bool = False


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """A moment: fork, exec, filter, lifted, released, exit, denied, ready.

    A denial of unknown time is placed at the end of its stage.
    """

    time: float
    kind: str
    text: str
    exact: bool = True


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """One process over time, or (`process` null) `count` that are shown together."""

    process: int | None
    pid: int | None
    stage: str
    title: str
    session: int | None
    spans: list[Span]
    marks: list[Mark]
    count: int = 1
    found_running: bool = False
    survived: bool = False


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """Lanes from the client down to the program's children."""

    duration: float
    lanes: list[Lane]


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One system call by stage.

    `need`: `runtime` (under the filter, and not by the program), `program`, `both`, `static` (not
    recorded, found by a scan), `outside` (none of these). `made` and `denied` map stages to counts.
    `scanned`: whether a scan found it; null without one. `running`: how many of the program's were
    made, or denied, after it was ready.
    """

    name: str
    arch: str
    need: str
    made: dict[str, int]
    denied: dict[str, int]
    scanned: bool | None = None
    running: int = 0


class Matrix(msgspec.Struct, frozen=True, kw_only=True):
    """System calls by stage, the stages in the order of a start.

    `scan` is what was scanned, empty without a scan; `whole`: whether that found all that the
    program can call. `ready`: when the program was ready, and by which condition, in words; empty
    for a recording of one phase.
    """

    stages: list[str]
    lines: list[Line]
    scan: str = ""
    whole: bool = False
    ready: str = ""


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A process of the tree, or `count` alike siblings. `state` is the last of its life.

    `images` are stage, exe and arguments of each exec; `facts` further words about it.
    """

    depth: int
    pid: int
    count: int
    images: list[tuple[str, str, list[str]]]
    user: str
    state: str
    filters: int
    calls: int
    denied: int
    status: int | None
    found_running: bool
    facts: list[str]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The whole. `left_out` counts processes that `processes` does not list."""

    schema: int = SCHEMA
    seclatch: str
    summary: Summary
    starts: list[Start]
    timeline: Timeline
    matrix: Matrix
    fit: ProfileFit | None
    processes: list[Node]
    left_out: int


def make_schema() -> dict[str, Any]:
    """Make the JSON schema of `--json` from the types; `data/schemas/report-1.json` is this."""
    schema = msgspec.json.schema(Report)
    for definition in schema["$defs"].values():
        definition["description"] = inspect.cleandoc(definition["description"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"seclatch report, version {SCHEMA}",
        **schema,
    }
