"""The program was ended by a signal that seccomp did not send."""

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


def find_killing_signal(subject: DiagnosedRun) -> FoundCause | None:
    """SIGKILL from outside (out of memory, a stop), a crash, or a request to end."""
    for process in reversed(subject.chain):
        number = read_end_signal(process)
        if number is None or number == signal.SIGSYS:
            continue
        if any(each.process.id == process.id for each in subject.denials.all):
            return None
        program = subject.evidence.program(process.segments[-1])
        kind = "crash" if number in _CRASHES else "killed"
        facts = [f"no call was denied to it; its status is {read_exit_code(process)}"]
        if number == signal.SIGKILL:
            facts.append("SIGKILL comes from the kernel when memory runs out, or from somebody")
        name = subject.evidence.stage(process.segments[-1]).value
        return FoundCause(False, kind, f"{program} was ended by {number.name}", name, facts)
    return None
