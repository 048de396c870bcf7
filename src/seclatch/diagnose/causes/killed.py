"""The program was ended by a signal that seccomp did not send."""

from __future__ import annotations

import signal

from seclatch.diagnose.causes.diagnosed_run import Found, Subject
from seclatch.diagnose.evidence.run_evidence import ended_by, exit_code

_CRASHES = {
    signal.SIGSEGV,
    signal.SIGBUS,
    signal.SIGILL,
    signal.SIGFPE,
    signal.SIGABRT,
    signal.SIGTRAP,
}


def find(subject: Subject) -> Found | None:
    """SIGKILL from outside (out of memory, a stop), a crash, or a request to end."""
    for process in reversed(subject.chain):
        number = ended_by(process)
        if number is None or number == signal.SIGSYS:
            continue
        if any(each.process.id == process.id for each in subject.denials.all):
            return None
        program = subject.evidence.program(process.segments[-1])
        kind = "crash" if number in _CRASHES else "killed"
        facts = [f"no call was denied to it; its status is {exit_code(process)}"]
        if number == signal.SIGKILL:
            facts.append("SIGKILL comes from the kernel when memory runs out, or from somebody")
        name = subject.evidence.stage(process.segments[-1]).value
        return Found(False, kind, f"{program} was ended by {number.name}", name, facts)
    return None
