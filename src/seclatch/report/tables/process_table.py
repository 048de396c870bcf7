"""Processes with what binds them, as a table or a tree, and for machines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from seclatch.model.process import FilterLayer, LiveContainer, LiveProcess, LiveThread
from seclatch.output.printable_text import make_printable

SCHEMA = "seclatch.ps/1"
"""The version of `document`'s shape; its schema is data/schemas/ps-1.json."""

_MOST = 4
_HEAD = ("PID", "STAGE", "SECCOMP", "FILTERS", "NNP", "FILTER", "BY", "CONTAINER", "COMMAND")
_TO_THE_RIGHT = {0, 2, 3}
_SHORT, _WHOLE = 12, 64  # engines' own ids: 64 hexadecimal digits, of which all show 12
_DEEPEST = 64


@dataclass(frozen=True, slots=True)
class ProcessLine:
    """A process at its place in the tree.

    `above` is drawn before its command. `context`: not selected, but an ancestor of one that was.
    """

    process: LiveProcess
    above: str = ""
    context: bool = False


def list_flat(chosen: Iterable[LiveProcess]) -> list[ProcessLine]:
    """One line for each, as they come."""
    return [ProcessLine(process) for process in chosen]


def list_tree(everybody: Sequence[LiveProcess], chosen: Iterable[LiveProcess]) -> list[ProcessLine]:
    """List the selected processes below their ancestors, each level by process id."""
    by_pid = {process.pid: process for process in everybody}
    asked = {process.pid for process in chosen}
    shown = _with_ancestors(asked, by_pid)
    children: dict[int, list[int]] = defaultdict(list)
    for pid in sorted(shown):
        children[by_pid[pid].parent].append(pid)
    lines: dict[int, ProcessLine] = {}
    # A listing is not one moment, so parents may form a circle: who is in one is a root too.
    for root in sorted(shown, key=lambda pid: (by_pid[pid].parent in shown, pid)):
        for pid, above in _descend(root, children, lines):
            lines[pid] = ProcessLine(by_pid[pid], above, pid not in asked)
    return list(lines.values())


def _with_ancestors(pids: Iterable[int], by_pid: Mapping[int, LiveProcess]) -> set[int]:
    found: set[int] = set()
    for pid in pids:
        above = pid
        while above in by_pid and above not in found:
            found.add(above)
            above = by_pid[above].parent
    return found


def _descend(
    root: int, children: Mapping[int, list[int]], done: Mapping[int, ProcessLine]
) -> Iterator[tuple[int, str]]:
    """Depth first, with what is drawn before each; no recursion, for chains may be very long."""
    pending = [(root, "", "")]
    while pending:
        pid, above, indent = pending.pop()
        if pid in done:
            continue
        yield pid, above
        below = children.get(pid, [])
        indent = indent[: _DEEPEST * len("│  ")]
        for child in reversed(below):
            last = child == below[-1]
            pending.append((child, f"{indent}{'└─ ' if last else '├─ '}", indent + _beside(last)))


def _beside(last: bool) -> str:
    return "   " if last else "│  "


def show_table(lines: Sequence[ProcessLine], width: int | None = None) -> Iterator[str]:
    """Return the table's lines of text, cut off at `width` if given."""
    rows = [_HEAD, *(row for line in lines for row in _rows(line))]
    widths = [max(len(row[n]) for row in rows) for n in range(len(_HEAD) - 1)]
    for row in rows:
        cells = [
            cell.rjust(size) if n in _TO_THE_RIGHT else cell.ljust(size)
            for n, (cell, size) in enumerate(zip(row, widths, strict=False))
        ]
        text = "  ".join([*cells, row[-1]]).rstrip()
        yield text if width is None or len(text) <= width else text[: max(width - 3, 0)] + "..."


def _rows(line: ProcessLine) -> Iterator[tuple[str, ...]]:
    process = line.process
    stage = process.stage.value if process.stage else "-"
    container = show_container(process.container)
    command = line.above + make_printable(process.command)
    yield (str(process.pid), stage, *_bound(process.main), container, command)
    indent = line.above.replace("├─ ", "│  ").replace("└─ ", "   ")
    for thread in process.threads:
        text = f"{indent}  thread {make_printable(thread.comm)}"
        yield (str(thread.tid), stage, *_bound(thread), container, text)


def _bound(thread: LiveThread) -> tuple[str, ...]:
    filters = str(thread.filters) if thread.filters >= 0 else "?"
    privileges = "yes" if thread.no_new_privs else "no"
    layers = " + ".join(_shorten(list(_name(thread.layers)), _beyond(thread))) or "-"
    origins = "; ".join(_count(layer.origin.by for layer in thread.layers)) or "-"
    return str(thread.mode), filters, privileges, make_printable(layers), make_printable(origins)


def _name(layers: Sequence[FilterLayer]) -> Iterator[str]:
    """Neighbours of one profile together: systemd loads a program for each ABI."""
    for profile, group in groupby(layers, lambda layer: layer.profile):
        prints = [layer.fingerprint or "?" for layer in group]
        if profile and len(set(prints)) > 1:
            yield f"{' '.join(prints)} {profile}"
        else:
            yield from _count(f"{each} {profile}".rstrip() for each in prints)


def _shorten(names: list[str], beyond: int) -> list[str]:
    """Shorten a list of filters: a hardened unit has dozens; `filter` and `--json` list all."""
    if len(names) + beyond <= _MOST:
        return names
    kept = names[: _MOST - 1]
    return [*kept, f"{len(names) - len(kept) + beyond} more"]


def _beyond(thread: LiveThread) -> int:
    """How many filters of a long stack were not looked at, the oldest."""
    return max(0, thread.filters - len(thread.layers)) if thread.layers else 0


def tell_cut(lines: Iterable[ProcessLine]) -> Iterator[str]:
    """Write a sentence on each thread with more filters than were read."""
    for line in lines:
        threads = () if line.context else (line.process.main, *line.process.threads)
        for thread in threads:
            if _beyond(thread):
                yield (
                    f"{thread.tid} is under {thread.filters} filters, of which the "
                    f"{len(thread.layers)} newest are told apart; `seclatch filter` shows all"
                )


def _count(names: Iterable[str]) -> Iterator[str]:
    """Equal neighbours once, with their number."""
    for name, group in groupby(names):
        count = sum(1 for _ in group)
        yield name if count == 1 else f"{name} x{count}"


def show_container(container: LiveContainer | None) -> str:
    """Show the name, with its pod, or the beginning of the id; and the image."""
    if container is None:
        return "-"
    whole = len(container.id) != _WHOLE
    name = make_printable(container.title or (container.id if whole else container.id[:_SHORT]))
    name += " (claimed)" if container.claimed else ""
    return f"{name} ({make_printable(container.image)})" if container.image else name


def make_table_document(lines: Iterable[ProcessLine], notes: Sequence[str]) -> dict[str, object]:
    """Return the table for machines. Text is as it was found: escape it before a terminal."""
    return {
        "schema": SCHEMA,
        "notes": list(notes),
        "processes": [_describe(line.process) for line in lines if not line.context],
    }


def _describe(process: LiveProcess) -> dict[str, object]:
    container = process.container
    return {
        "pid": process.pid,
        "parent": process.parent,
        "uid": process.uid,
        "state": process.state,
        "command": list(process.argv),
        "stage": process.stage.value if process.stage else None,
        "container": container
        and {
            "id": container.id,
            "name": container.name or None,
            "image": container.image or None,
            "engine": container.engine or None,
            "pod": container.pod or None,
            "namespace": container.namespace or None,
            "claimed": container.claimed,
        },
        **_describe_thread(process.main),
        "threads": [{"tid": each.tid} | _describe_thread(each) for each in process.threads],
    }


def _describe_thread(thread: LiveThread) -> dict[str, object]:
    return {
        "name": thread.comm,
        "seccomp": thread.mode,
        "filters": thread.filters if thread.filters >= 0 else None,
        "no_new_privs": thread.no_new_privs,
        "layers": [describe_layer(layer) for layer in thread.layers],
    }


def describe_layer(layer: FilterLayer) -> dict[str, object]:
    """One filter for machines."""
    origin = layer.origin
    return {
        "fingerprint": layer.fingerprint or None,
        "instructions": layer.instructions or None,
        "profile": layer.profile or None,
        "by": {
            "cause": origin.cause.value,
            "pid": origin.pid or None,
            "name": origin.name or None,
            "certain": origin.certain,
        },
    }
