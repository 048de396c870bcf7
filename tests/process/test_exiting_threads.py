"""Which threads issue no more calls, by their flags in /proc (proc_pid_stat(5))."""

from __future__ import annotations

import os
import subprocess

from seclatch.system.procfs import is_exiting


def test_a_process_that_has_ended_issues_no_more_calls() -> None:
    """Its flags show it before its state does: it gives back memory in state R, without filters."""
    with subprocess.Popen(["sleep", "60"]) as process:
        assert not is_exiting(process.pid, process.pid)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert is_exiting(process.pid, process.pid)
        process.wait()
        assert is_exiting(process.pid, process.pid)
