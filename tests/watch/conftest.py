from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from seclatch.model.denial_log import LoggedDenial, LogLine, WatchEvent, decode_line
from tests.latch.oci import SCRIPTS

WAYS = ("check", "calls", "denials")


@dataclass
class Watched:
    """A watch that runs, and what it has written once it has ended."""

    process: subprocess.Popen[bytes]
    lines: list[LogLine] = field(default_factory=list)
    errors: str = ""
    status: int | None = None
    through_parent: bool = False

    def read_line(self) -> None:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            self.end()
            raise AssertionError(self.errors)
        self.lines.append(decode_line(line))

    def read_until(self, condition: Callable[[], object]) -> None:
        """Read lines until those so far meet the condition."""
        while not condition():
            self.read_line()

    def end(self, number: int = signal.SIGTERM) -> None:
        if self.status is not None:
            return
        self.signal(number)
        rest, errors = self.process.communicate(timeout=60)
        self.lines += [decode_line(line + b"\n") for line in rest.splitlines()]
        self.errors, self.status = errors.decode(), self.process.returncode

    def signal(self, number: int) -> None:
        if self.through_parent:
            pid = self.process.pid
            for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
                os.kill(int(child), number)
        else:
            self.process.send_signal(number)

    @property
    def denials(self) -> list[LoggedDenial]:
        return [line for line in self.lines if isinstance(line, LoggedDenial)]

    @property
    def events(self) -> list[WatchEvent]:
        return [line for line in self.lines if isinstance(line, WatchEvent)]

    def of(self, **wanted: Any) -> list[LoggedDenial]:
        """Return the denials with these values."""
        return [
            one
            for one in self.denials
            if all(getattr(one, name) == value for name, value in wanted.items())
        ]

    def counts(self, **wanted: Any) -> dict[tuple[str, str, str], int]:
        """Count denials by call, answer and errno."""
        found: dict[tuple[str, str, str], int] = {}
        for one in self.of(**wanted):
            key = (one.syscall, one.answer, one.errno)
            found[key] = found.get(key, 0) + one.count
        return found


Watch = Callable[..., contextlib.AbstractContextManager[Watched]]


@contextlib.contextmanager
def start_watch(words: list[str], *, through_parent: bool = False) -> Iterator[Watched]:
    """Run a command that prints JSON lines, from its first line on, until the block ends.

    `through_parent`: it is the child of the process that is started.
    """
    # Not buffered: communicate() does not return what a buffer has taken beyond the lines read.
    pipe = subprocess.PIPE
    process = subprocess.Popen(words, stdout=pipe, stderr=pipe, bufsize=0)
    watched = Watched(process, through_parent=through_parent)
    try:
        watched.read_line()
        yield watched
        watched.end()
    finally:
        if process.poll() is None:
            watched.signal(signal.SIGKILL)  # a child that lives on would keep the pipe open
            process.kill()
            process.communicate(timeout=60)


@pytest.fixture
def watch() -> Watch:
    """watch(OPTIONS…): `seclatch watch --json` for real."""
    return lambda *options: start_watch(
        [str(SCRIPTS / "seclatch"), "watch", "--json", "--no-engines", *map(str, options)]
    )


def permitted(way: str) -> bool:
    """Whether this kernel takes the programs of a way; the others are tried in tests/hosts."""
    from seclatch.errors import SeclatchError
    from seclatch.watch.sources.watch_programs import WatchWay, load_programs

    try:
        load_programs(WatchWay(way)).close()
    except SeclatchError:
        return False
    return True


def read_json(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]
