"""Find the chain of failed processes: from the first process down to the origin of its failure."""

from __future__ import annotations

import re

from seclatch.diagnose.denials.error_lines import find_errnos, is_consequence, is_warning
from seclatch.diagnose.denials.stderr_writes import count_other_writes
from seclatch.diagnose.evidence.run_evidence import RunEvidence, has_failed, read_exit_code
from seclatch.diagnose.evidence.script_texts import is_shell, stops_at_errors
from seclatch.diagnose.evidence.sentences import sounds_like_error
from seclatch.diagnose.failure.own_words import is_exception, is_mistake
from seclatch.diagnose.failure.script_outcome import (
    EndedCommand,
    Outcome,
    ScriptOutcome,
    judge_command,
)
from seclatch.recording.trace.event_kinds import EventKind
from seclatch.recording.trace.trace import TracedProcess

_WAITING_TEXT = """
wait4 waitid rt_sigaction rt_sigprocmask rt_sigreturn close exit_group write futex kill read
lseek munmap rt_sigtimedwait ppoll poll epoll_wait epoll_pwait restart_syscall sigaltstack
getpid fcntl ioctl dup2 dup3 chdir fchdir
"""
_WAITING = frozenset(_WAITING_TEXT.split())
_EXIT = re.compile(r"\bexit\s+(\d{1,3})\b")


def find_origin(evidence: RunEvidence, root: TracedProcess) -> list[TracedProcess]:
    """Return the root, its child that made it fail, that one's child, and so on.

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
    found = find_script_outcome(evidence, parent, child)
    if found and found.outcome is Outcome.IGNORED:
        return False
    if read_exit_code(parent) == read_exit_code(child):
        return True
    after = [call for call in evidence.list_last_calls(parent) if call.time > ended]
    if not after or not all(evidence.find_syscall(call).name in _WAITING for call in after):
        return False
    return not count_other_writes(evidence, parent, ended)


def passes_certainly(evidence: RunEvidence, parent: TracedProcess, child: TracedProcess) -> bool:
    """Return whether a parent certainly failed because of its child.

    Its script says so; or it ended with the child's status, did no more, and no script of it says
    that it would have ended with that status anyway: after `mkdir x; exit 3` one cannot tell.
    """
    found = find_script_outcome(evidence, parent, child)
    if found and found.outcome is not Outcome.UNKNOWN:
        return found.outcome is Outcome.ENDS
    status = read_exit_code(parent)
    _, script = evidence.find_script(parent)
    if not script and is_shell(evidence.image(parent.segments[-1])):
        return False  # a script that could not be read may go on after it
    if not script and reacts_to(evidence, parent, child):
        return True
    in_script = any(int(match[1]) == status for match in _EXIT.finditer(script))
    written = count_other_writes(evidence, parent, child.ended or 0)
    return status == read_exit_code(child) and not in_script and written <= (not script)


def reacts_to(evidence: RunEvidence, parent: TracedProcess, child: TracedProcess) -> bool:
    """Return whether all that a parent did after its child failed was to report a failure.

    Words that name an error or a mistake of its own are about something else.
    """
    own, ended = evidence.list_own_segments(parent), child.ended or 0
    lines = [line.text for line in evidence.messages if line.segment in own and line.time > ended]
    calls = [call for call in evidence.list_last_calls(parent) if call.time > ended]
    idle = all(evidence.find_syscall(call).name in _WAITING for call in calls)
    other = any(find_errnos(line) or is_mistake(line) or is_exception(line) for line in lines)
    failing = any(sounds_like_error(line) or is_consequence(line) for line in lines)
    return idle and failing and not other and not any(is_warning(line) for line in lines)


def find_script_outcome(
    evidence: RunEvidence, parent: TracedProcess, child: TracedProcess
) -> ScriptOutcome | None:
    """Return what the parent's script does when the child fails; None if no script is known."""
    argv, script = evidence.find_script(parent, child)
    if not script:
        return None
    image = evidence.image(child.segments[-1])
    words = image.argv if image.process == child.id else ()
    ended = EndedCommand(words, read_exit_code(child), read_exit_code(parent))
    return judge_command(script, stops_at_errors(argv, script), ended)
