"""What runs first: until the command line is loaded, ^C ends the process without a traceback."""

from __future__ import annotations

import signal


def main() -> None:
    """Load the command line and run it."""
    ours = signal.getsignal(signal.SIGINT)  # a caller that ignores it (`nohup`, `&`) keeps that
    if ours is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from seclatch.cli import main as command_line

    signal.signal(signal.SIGINT, ours)
    command_line.main()
