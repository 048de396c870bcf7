"""Run `seclatch record` and write its own CPU seconds, and those of its children, to descriptor 9.

    python -m bench.recorder_cpu -o FILE -- COMMAND

wait(2) has both in one sum. The children are the command, and little else.
"""

from __future__ import annotations

import os
import resource
import sys
from typing import NoReturn

DESCRIPTOR = 9


def main() -> None:
    """Record; what ends the process (`exit_fast`) reports before."""
    from seclatch.cli.entry import main as record

    leave, recorder = os._exit, os.getpid()

    def leave_with_report(status: int) -> NoReturn:
        if os.getpid() == recorder:
            which = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
            spent = (each.ru_utime + each.ru_stime for each in map(resource.getrusage, which))
            os.write(DESCRIPTOR, " ".join(map(str, spent)).encode())
        leave(status)

    os._exit = leave_with_report
    sys.argv = ["seclatch", "record", *sys.argv[1:]]
    record()


if __name__ == "__main__":
    main()
