"""Exit with a command's status; print errors in one place."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from typing import NoReturn

from seclatch.errors import SeclatchError
from seclatch.output.ascii_fallback import adapt_streams

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def exit_with_status(run: Callable[[], int]) -> NoReturn:
    """Run it and exit with the status that it returns, or with that of its error."""
    adapt_streams(sys.stdout, sys.stderr)
    try:
        sys.exit(run())
    except SeclatchError as error:
        _print_error(error)
        sys.exit(error.status)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        _give_up_output()
        sys.exit(141)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _FULL and not error.filename:
            _give_up_output()
            _print_error(SeclatchError(f"writing to standard output: {error.strerror}"))
            sys.exit(2)
        if os.environ.get("SECLATCH_DEBUG"):
            raise
        _print_error(
            SeclatchError(
                f"internal error: {type(error).__name__}: {error}",
                remedy="report it, with what SECLATCH_DEBUG=1 shows",
            )
        )
        sys.exit(125)


def _give_up_output() -> None:
    """Discard buffered output.

    Otherwise the interpreter's own flush fails at exit, with status 120 (in Python 3.13 the buffer
    outlives a failed write).
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print_error(error: SeclatchError) -> None:
    from seclatch.cli.shared.print_error import print_error  # imports click

    print_error(error)
