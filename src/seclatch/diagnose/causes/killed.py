"""Cause: the program was ended by a signal that seccomp did not send."""

from __future__ import annotations

import signal

from seclatch.diagnose.causes.diagnosed_run import DiagnosedRun, FoundCause
from seclatch.diagnose.evidence.kernel_log import find_memory_kill
from seclatch.diagnose.evidence.run_evidence import read_end_signal, read_exit_code

_CRASHES = {
    signal.SIGSEGV,
    signal.SIGBUS,
    signal.SIGILL,
    signal.SIGFPE,
    signal.SIGABRT,
    signal.SIGTRAP,
}

_LIMITS = {
    signal.SIGXFSZ: "a file grew larger than RLIMIT_FSIZE (ulimit -f) allows",
    signal.SIGXCPU: "it used more CPU time than RLIMIT_CPU (ulimit -t) allows",
}


def find_killing_signal(run: DiagnosedRun) -> FoundCause | None:
    """Find a SIGKILL from outside (out of memory, a stop), a crash, or a request to end."""
    for process in reversed(run.chain):
        number = read_end_signal(process)
        if number is None or number == signal.SIGSYS:
            continue
        if any(case.process.id == process.id for case in run.chain_denials):
            return None
        program = run.evidence.program(process.segments[-1])
        kind = "crash" if number in _CRASHES else "killed"
        facts = [f"no call was denied to it; its status is {read_exit_code(process)}"]
        summary = f"{program} was ended by {number.name}"
        if number == signal.SIGKILL:
            found = find_memory_kill(process.pid, process.began)
            fact = "SIGKILL is sent by the kernel when memory runs out, or by another process"
            if found.startswith("Memory cgroup"):
                summary = f"the memory limit of its cgroup was reached: {program} was killed"
                fact = "the kernel's log says so: give it more (--memory), or have it use less"
            elif found:
                summary = f"the host ran out of memory: {program} was killed"
                fact = "the kernel's log says so"
            facts.append(fact)
        elif number in _LIMITS:
            facts.append(_LIMITS[number])
        name = run.evidence.stage(process.segments[-1]).value
        return FoundCause(False, kind, summary, name, facts)
    return None
