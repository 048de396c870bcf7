"""Tables of expected verdicts: one call and its action a line.

# arch   call                              action
x86_64   socket(AF_INET, _, 0)             ALLOW
x86_64   socket(AF_NETLINK, _, 9)          ERRNO(EINVAL)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from seclatch.errors import InputError
from seclatch.filter.query_filter import FilterQuery, QueryAnswer
from seclatch.model.action import Action
from seclatch.model.arch import Arch
from seclatch.model.call_notation import AskedCall, parse_action, parse_call
from seclatch.model.filter import Filter

_ROW = re.compile(r"(\S+)\s+(.+?)\s+(\S+)")


@dataclass(frozen=True, slots=True)
class ExpectedRow:
    """A line of the table (counted from 1): the call must get the action for any open arguments."""

    line: int
    asked: AskedCall
    expected: Action


@dataclass(frozen=True, slots=True)
class RowResult:
    """A row and the filter's answers. It passes if the expected action is the only one."""

    row: ExpectedRow
    answers: tuple[QueryAnswer, ...]

    @property
    def passed(self) -> bool:
        """Return whether the answer is as expected."""
        return [answer.action for answer in self.answers] == [str(self.row.expected)]


def parse_table(text: str, source: str) -> list[ExpectedRow]:
    """Parse a table. Raises InputError with file, line and rule; an empty table is an error too."""
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        content = re.sub(r"(^|\s)#(?!\d).*", "", line).strip()
        if content:
            try:
                rows.append(_row(number, content))
            except ValueError as error:
                raise InputError(source, f"line {number}", str(error)) from error
    if not rows:
        raise InputError(source, "", "the table has no rows", remedy="arch, call, action a line")
    return rows


def run_table(program: Filter, rows: list[ExpectedRow]) -> Iterator[RowResult]:
    """Query the filter for every row."""
    asker = FilterQuery(program)
    for row in rows:
        yield RowResult(row, tuple(asker.ask(row.asked)))


def _row(number: int, content: str) -> ExpectedRow:
    match = _ROW.fullmatch(content)
    if not match:
        raise ValueError(f"{content!r} is not `arch  call  action`")
    arch = Arch.parse(match[1])
    return ExpectedRow(number, parse_call(match[2], arch), parse_action(match[3]))
