"""Find the chain of failed processes: from the first process down to the origin of its failure."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import PurePosixPath

from seclatch.diagnose.denials.stderr_writes import count_other_writes
from seclatch.diagnose.evidence.run_evidence import RunEvidence, has_failed, read_exit_code
from seclatch.recording.trace.event_kinds import EventKind
from seclatch.recording.trace.trace import TracedProcess

_WAITING_TEXT = """
wait4 waitid rt_sigaction rt_sigprocmask rt_sigreturn close exit_group write futex kill read
lseek munmap rt_sigtimedwait ppoll poll epoll_wait epoll_pwait restart_syscall sigaltstack
getpid fcntl ioctl dup2 dup3
"""
_WAITING = frozenset(_WAITING_TEXT.split())
_IS_SCRIPT = re.compile(r"-\w*c$")
_ON_FAILURE = re.compile(
    r"(\|\|\s*(?:\{[^{}]*?)?|\b(?:then|else)\b(?:(?!\bfi\b).)*?)\bexit\s+(\d{1,3})\b", re.DOTALL
)
_EXIT = re.compile(r"\bexit\s+(\d{1,3})\b")


def find_origin(evidence: RunEvidence, root: TracedProcess) -> list[TracedProcess]:
    """Return the root, and from each process the child whose failure it passed on.

    The last is the origin. A parent passes a failure on if it starts nothing after it and ends with
    the same status, or does nothing more at all (decision 0030).
    """
    chain = [root]
    while True:
        parent = chain[-1]
        children = [
            process
            for process in evidence.trace.processes.values()
            if process.parent == parent.id and has_failed(process) and process.ended
        ]
        children.sort(key=lambda child: child.ended or 0)
        last = _find_last_start(evidence, parent)
        late = [child for child in children if (child.ended or 0) >= last]
        passed = [child for child in late if _passes_failure(evidence, parent, child)]
        if not passed:
            return chain
        same = [child for child in passed if read_exit_code(child) == read_exit_code(parent)]
        chain.append((same or passed)[-1])


def _find_last_start(evidence: RunEvidence, parent: TracedProcess) -> int:
    """Return when a process last exec'd or started a child: earlier failures did not end it."""
    segments = evidence.trace.segments
    execs = (segments[number] for number in parent.segments)
    times = [segment.time for segment in execs if segment.kind == EventKind.EXEC]
    born = (process for process in evidence.trace.processes.values() if process.parent == parent.id)
    return max([*times, *(child.began for child in born)], default=0)


def _passes_failure(evidence: RunEvidence, parent: TracedProcess, child: TracedProcess) -> bool:
    ended = child.ended or 0
    if read_exit_code(parent) == read_exit_code(child):
        return True
    after = [call for call in evidence.list_last_calls(parent) if call.time > ended]
    if not after or not all(evidence.find_syscall(call).name in _WAITING for call in after):
        return False
    return not count_other_writes(evidence, parent, ended)


def passes_certainly(evidence: RunEvidence, parent: TracedProcess, child: TracedProcess) -> bool:
    """Return whether a parent certainly failed because of its child.

    It ended with the child's status, or as its script on the command line says, by `|| exit N` or
    an `if`. `mkdir x; exit 3` looks the same from outside, and ends with 3 whether or not the mkdir
    fails; so does `else mkdir x; exit 3`.
    """
    status = read_exit_code(parent)
    argv = evidence.image(parent.segments[-1]).argv
    script = next((after for word, after in pairwise(argv) if _IS_SCRIPT.match(word)), "")
    words = evidence.image(child.segments[-1]).argv
    name = PurePosixPath(words[0]).name if words else ""
    branches = [branch for branch in _ON_FAILURE.finditer(script) if int(branch[2]) == status]
    if any(not name or not re.search(rf"\b{re.escape(name)}\b", branch[1]) for branch in branches):
        return True
    in_script = any(int(match[1]) == status for match in _EXIT.finditer(script))
    return status == read_exit_code(child) and not in_script
