"""Cause: the program was ended by a signal that seccomp did not send."""

from __future__ import annotations

import signal

from seclatch.diagnose.causes.diagnosed_run import DiagnosedRun, FoundCause
from seclatch.diagnose.evidence.run_evidence import read_end_signal, read_exit_code

_CRASHES = {
    signal.SIGSEGV,
    signal.SIGBUS,
    signal.SIGILL,
    signal.SIGFPE,
    signal.SIGABRT,
    signal.SIGTRAP,
}


def find_killing_signal(run: DiagnosedRun) -> FoundCause | None:
    """Find a SIGKILL from outside (out of memory, a stop), a crash, or a request to end."""
    for process in reversed(run.chain):
        number = read_end_signal(process)
        if number is None or number == signal.SIGSYS:
            continue
        if any(case.process.id == process.id for case in run.denials.all):
            return None
        program = run.evidence.program(process.segments[-1])
        kind = "crash" if number in _CRASHES else "killed"
        facts = [f"no call was denied to it; its status is {read_exit_code(process)}"]
        if number == signal.SIGKILL:
            facts.append(
                "SIGKILL is sent by the kernel when memory runs out, or by another process"
            )
        name = run.evidence.stage(process.segments[-1]).value
        return FoundCause(False, kind, f"{program} was ended by {number.name}", name, facts)
    return None
