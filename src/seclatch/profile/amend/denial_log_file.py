"""Read denial logs: files of `seclatch watch --json`, which may be large, cut, or of any origin."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from seclatch.errors import InputError
from seclatch.model.denial_log import (
    MAX_LINE,
    LoggedDenial,
    LoggedHost,
    LogLine,
    WatchEvent,
    decode_line,
)
from seclatch.model.seccomp_data import MAX_ARGS
from seclatch.profile.amend.denial_evidence import DenialEvidence

MAX_KINDS = 100_000
"""Distinct denials that are kept of one log; a log of more is not one of a single profile."""

_REMEDY = "give what `seclatch watch --json` or `watch -o FILE` wrote"
_U64 = (1 << 64) - 1


@dataclass(slots=True)
class LoggedGroup:
    """Equal denials of a log: the last time, the container and its image."""

    seen: DenialEvidence
    last: datetime
    container_id: str
    image: str
    unit: str


@dataclass(slots=True)
class DenialLog:
    """The content of one log. `unread` are the numbers of lines that are no line of a log."""

    source: str
    hosts: list[LoggedHost] = field(default_factory=list)
    groups: list[LoggedGroup] = field(default_factory=list)
    events: list[WatchEvent] = field(default_factory=list)
    unread: list[int] = field(default_factory=list)
    lines: int = 0


def read_denial_log(path: Path) -> DenialLog:
    """Read a log line by line (`-`: standard input). Raises InputError if no line is of a log."""
    collected = CollectedDenials(str(path))
    log = collected.log
    problem = "it is empty"
    try:
        with _open(path) as file:
            number = 0
            while line := file.readline(MAX_LINE + 1):
                number += 1
                try:
                    collected.add(decode_line(line))
                except ValueError as error:
                    problem = f"line {number}: {error}"
                    log.unread.append(number)
                    while line and not line.endswith(b"\n"):  # the rest of an overlong line
                        line = file.readline(MAX_LINE)
                else:
                    log.lines += 1
    except OSError as error:
        raise InputError(str(path), "", f"cannot read it: {error.strerror}") from error
    if not log.lines:
        raise InputError(str(path), "", f"not a denial log: {problem}", remedy=_REMEDY)
    return collected.finish()


def _open(path: Path) -> AbstractContextManager[IO[bytes]]:
    return nullcontext(sys.stdin.buffer) if str(path) == "-" else path.open("rb")


class CollectedDenials:
    """The lines of a log, or of a watch that runs, as they come."""

    def __init__(self, source: str) -> None:
        self.log = DenialLog(source)
        self._kinds: dict[tuple[object, ...], LoggedGroup] = {}

    def add(self, line: LogLine) -> None:
        """Add a line. Raises ValueError for a value that no watcher writes."""
        last = parse_time(line.until if isinstance(line, LoggedDenial) else line.time)
        if isinstance(line, WatchEvent):
            self.log.events.append(line)
        else:
            self._add_group(_read_group(self.log.source, line, last))
        if line.host not in self.log.hosts:
            self.log.hosts.append(line.host)

    def _add_group(self, group: LoggedGroup) -> None:
        seen = group.seen
        values = (seen.name, seen.number, seen.arch, seen.selector, seen.args is None, seen.exe)
        key = (*values, group.container_id, group.unit, seen.logged, seen.runtime, seen.session)
        known = self._kinds.get(key)
        if known is None and len(self._kinds) >= MAX_KINDS:
            raise InputError(self.log.source, "", f"more than {MAX_KINDS} distinct denials")
        if known is None:
            self._kinds[key] = group
        else:
            known.seen = _add_count(known.seen, seen.count)
            known.last = max(known.last, group.last)

    def finish(self) -> DenialLog:
        """Return the whole log."""
        self.log.groups = list(self._kinds.values())
        return self.log


def _add_count(seen: DenialEvidence, count: int) -> DenialEvidence:
    from dataclasses import replace

    return replace(seen, count=seen.count + count)


def _read_group(source: str, line: LoggedDenial, last: datetime) -> LoggedGroup:
    container = line.container
    seen = DenialEvidence(
        name=line.syscall,
        number=line.number,
        arch=line.arch,
        args=None if line.args is None else _read_args(line.args),
        count=max(line.count, 1),
        source=source,
        exe=line.exe or line.comm,
        container=(container.name or container.id) if container else "",
        logged=line.answer == "log",
        runtime=line.stage == "runtime",
        session=line.stage == "exec-session",
    )
    image = container.image if container else ""
    return LoggedGroup(seen, last, container.id if container else "", image, line.unit)


def _read_args(words: list[str]) -> tuple[int, ...]:
    args = tuple(int(word, 16) for word in words)
    if len(args) != MAX_ARGS or not all(0 <= value <= _U64 for value in args):
        raise ValueError(f"args: not {MAX_ARGS} unsigned 64-bit numbers")
    return args


def parse_time(text: str) -> datetime:
    """Parse RFC 3339. Raises ValueError; a time without a zone is UTC."""
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)
