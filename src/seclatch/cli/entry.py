"""What runs first: until the command line is loaded, ^C ends the process without a traceback."""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import Callable

# Objects more than were freed since the last search for unused cycles (gc.set_threshold; Python
# searches after 700). Starting and ending a command makes some 50,000 that stay, and no cycles.
_COLLECT_AFTER = 100_000


def main() -> None:
    """Load the command line and run it."""
    gc.set_threshold(_COLLECT_AFTER)
    ours = signal.getsignal(signal.SIGINT)  # a caller that ignores it (`nohup`, `&`) keeps that
    if ours is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from seclatch.cli.exit_status import exit_with_status

    run = _load(sys.argv[1:])
    signal.signal(signal.SIGINT, ours)
    exit_with_status(run)


def _load(words: list[str]) -> Callable[[], int]:
    """Import what runs this command line: for most recordings that is not click."""
    from seclatch.cli.record.plain_arguments import parse_plain

    arguments = parse_plain(words)
    if arguments is None:
        from seclatch.cli.main import run_command_line

        return run_command_line
    from seclatch.cli.record.record_to_file import record_to_file

    return lambda: record_to_file(arguments)
