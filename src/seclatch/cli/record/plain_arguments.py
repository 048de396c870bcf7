"""Parse the usual command lines of `seclatch record` without click, which is slow to import.

All else (help, other options, mistakes, the commands below) is left to click. Where both parse,
both give the same: tests/unit/cli/test_record_arguments.py compares them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seclatch.cli.record.record_to_file import RecordArguments

COMMANDS = {
    "merge": "Merge recordings, by image.",
    "push": "Share the counts of this node's recordings by a registry.",
    "pull": "Fetch and merge the counts that all nodes pushed.",
    "flush": "Have a container's recorder write what it has so far.",
    "mark": "Say that the recorded program is ready now.",
    "serve": "Record this host's annotated containers, for the agent's latch.",
}
"""The commands below `seclatch record`, with their help."""

_FLAGS = {"-q": "quiet", "--quiet": "quiet", "--follow": "follow"}
_OUTPUTS = ("-o", "--output")


def parse_plain(words: Sequence[str]) -> RecordArguments | None:
    """Parse `record [-o FILE] [-q] [--follow] [--] CMD [ARG]...`; None for all else."""
    if list(words[:1]) != ["record"] or "_SECLATCH_COMPLETE" in os.environ:
        return None
    if not words[1:] or words[1] in COMMANDS:
        return None
    flags: set[str] = set()
    output, rest = "", list(words[1:])
    while rest and rest[0][:1] == "-" and len(rest[0]) > 1:
        option = rest.pop(0)
        if option == "--":
            break
        if option in _FLAGS:
            flags.add(_FLAGS[option])
        elif option in _OUTPUTS and rest and _is_plain_file(rest[0]):
            output = rest.pop(0)
        else:
            return None
    if not rest:
        return None
    from pathlib import Path

    from seclatch.cli.record.record_to_file import RecordArguments

    path = Path(output) if output else None
    return RecordArguments(path, follow="follow" in flags, quiet="quiet" in flags, args=tuple(rest))


def _is_plain_file(name: str) -> bool:
    """Whether it can only be a file's name, and is one that click.Path has no objection to."""
    if not name or name.startswith("-") or "\0" in name:
        return False
    return not os.path.lexists(name) or (os.path.isfile(name) and os.access(name, os.R_OK))  # noqa: PTH113
