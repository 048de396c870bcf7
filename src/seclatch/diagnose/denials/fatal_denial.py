"""Find the denial that ended a process, by its last calls and its last messages.

See decision 0030.
"""

from __future__ import annotations

import signal

from seclatch.diagnose.denials.last_calls import (
    ends_silently,
    find_fatal,
    find_trapped,
    is_decisive,
)
from seclatch.diagnose.denials.stderr_writes import BUFFERED, count_other_writes
from seclatch.diagnose.evidence.run_evidence import RunEvidence, has_failed, read_end_signal
from seclatch.diagnose.evidence.sentences import find_errno, mentions_errno
from seclatch.recording.backends.bpf.detail_events import DetailFlag, Last, Seen
from seclatch.recording.trace.trace import TracedProcess


class FatalDenials:
    """Finds fatal denials, once for each process."""

    def __init__(self, evidence: RunEvidence) -> None:
        self._evidence = evidence
        self._found: dict[int, Last | None] = {}

    def includes(self, seen: Seen, process: TracedProcess) -> bool:
        """Return whether a denial ended its process."""
        if seen.mode & DetailFlag.KILLED:
            return True
        if process.id not in self._found:
            self._found[process.id] = self._find_fatal(process)
        fatal = self._found[process.id]
        return fatal is not None and fatal.time == seen.time

    def _find_fatal(self, process: TracedProcess) -> Last | None:
        evidence = self._evidence
        session = evidence.session_of(process.segments[-1])
        entered = process.id == evidence.process_of(session.entry).id if session else False
        if entered and session and not evidence.has_started(session):
            calls = evidence.list_filtered_calls(process)
            certain = self._find_sigsys(process, calls) or find_fatal(calls, evidence.find_syscall)
            return certain or self._find_in_init(calls)
        if not has_failed(process):
            return None
        calls = evidence.list_last_calls(process)
        trapped = self._find_sigsys(process, calls)
        return trapped or self._find_reported(process, calls)

    def _find_in_init(self, calls: list[Last]) -> Last | None:
        """Return the fatal denial of an init that did more before it ended, as crun does to log.

        The denied exec, or the last denial whose errno was reported and no other call gave.
        """
        evidence = self._evidence
        denied = [call for call in calls if call.refused]
        execs = [
            call for call in denied if evidence.find_syscall(call).name in ("execve", "execveat")
        ]
        if execs:
            return execs[-1]
        for call in reversed(denied):
            reported = any(
                call.time < message.time and mentions_errno(message.text, -call.result)
                for message in evidence.messages
            )
            others = [one for one in calls if one.result == call.result and not one.refused]
            if reported and call.result < 0 and not others:
                return call
        return None

    def _find_sigsys(self, process: TracedProcess, calls: list[Last]) -> Last | None:
        return find_trapped(calls) if read_end_signal(process) == signal.SIGSYS else None

    def _find_reported(self, process: TracedProcess, calls: list[Last]) -> Last | None:
        """Return the last denial, if the process reported its errno or ended at once."""
        for loosely in (False, True):
            found = find_fatal(calls, self._evidence.find_syscall, loosely=loosely)
            if found and (
                found.mode & DetailFlag.KILLED or self._fits_message(process, calls, found, loosely)
            ):
                return found
        return None

    def _fits_message(
        self, process: TracedProcess, calls: list[Last], fatal: Last, loosely: bool
    ) -> bool:
        """Return whether the process's last message is about this errno, or about none.

        A program that prints went on, except for what a buffer held; one that aborts may do so for
        a reason of its own.
        """
        evidence, find_syscall = self._evidence, self._evidence.find_syscall
        last_message = _find_last_message(evidence, process, fatal.time)
        written = count_other_writes(evidence, process, fatal.time)
        if find_errno(last_message):
            return mentions_errno(last_message, -fatal.result) and written <= BUFFERED
        if (
            loosely
            or written
            or read_end_signal(process) is not None
            or not is_decisive(fatal, find_syscall)
        ):
            return False
        return bool(last_message) or ends_silently(calls, fatal, find_syscall)


def _find_last_message(evidence: RunEvidence, process: TracedProcess, time: int) -> str:
    """Return the last message of a process after this time: the last that names an error."""
    own = evidence.list_own_segments(process)
    messages = [
        message.text
        for message in evidence.messages
        if message.segment in own and message.time > time
    ]
    named = [text for text in messages if find_errno(text)]
    return (named or messages or [""])[-1]
