"""Find what failed if it was not seccomp: the last message, and the failed call behind it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from seclatch.diagnose.causes.diagnosed_run import DiagnosedRun
from seclatch.diagnose.denials.last_calls import gives_up
from seclatch.diagnose.evidence.run_evidence import RunEvidence, StderrLine
from seclatch.diagnose.evidence.sentences import (
    find_errno,
    mentions_errno,
    sounds_like_error,
    strip_prefixes,
)
from seclatch.diagnose.evidence.stages_by_name import RUNTIMES
from seclatch.model import errno
from seclatch.model.stage import Stage
from seclatch.recording.backends.bpf.detail_events import Seen
from seclatch.recording.trace.trace import TracedProcess

_WORD = re.compile(r"\w+")
# Shells give the terminal back when they end; session leaders get EPERM for that.
_IDLE = {"setpgid", "setsid", "ioctl"}

_STARTING = (Stage.HOOK, Stage.INIT, Stage.FILTERED_INIT, Stage.RUNTIME, Stage.SHIM, Stage.ENGINE)


@dataclass(frozen=True, slots=True)
class FailureSymptom:
    """What failed; `errno` 0, `call` and `path` "" if unknown; `seen`: the call, if it was seen."""

    stage: Stage
    program: str
    text: str = ""
    errno: int = 0
    call: str = ""
    path: str = ""
    seen: Seen | None = None

    @property
    def sure(self) -> bool:
        """Return whether a failed call was found, not only a message about one."""
        return bool(self.call)

    @property
    def evidence(self) -> list[str]:
        """Return the facts to show."""
        found = []
        if self.call:
            what = f'("{self.path}")' if self.path else ""
            code = errno.name_errno(self.errno)
            found.append(f"the kernel itself answered {code} to {self.call}{what}; no filter did")
        return found


def find_symptom(run: DiagnosedRun) -> FailureSymptom | None:
    """Return the last thing that failed at the origin of the failure; None if nothing is known."""
    if not run.chain:
        return _find_before_program(run)
    line = list(reversed(run.chain))
    ways = (_find_by_message, _find_by_last_call, _find_message_alone)
    found = (way(run, process) for way in ways for process in line)
    return next((symptom for symptom in found if symptom), None)


def _list_failures(run: DiagnosedRun, process: TracedProcess) -> list[Seen]:
    own = run.evidence.list_own_segments(process)
    return [failure for failure in reversed(run.evidence.failures) if failure.segment in own]


def _list_messages(run: DiagnosedRun, process: TracedProcess) -> list[StderrLine]:
    own = run.evidence.list_own_segments(process)
    return [message for message in reversed(run.evidence.messages) if message.segment in own]


def _find_by_message(run: DiagnosedRun, process: TracedProcess) -> FailureSymptom | None:
    evidence = run.evidence
    failures = _list_failures(run, process)
    for message in _list_messages(run, process):
        if found := _find_call_behind(message.text, failures, evidence):
            return _make_symptom(evidence, message.text, found, message.stage, message.program)
    return None


def _find_by_last_call(run: DiagnosedRun, process: TracedProcess) -> FailureSymptom | None:
    evidence, last = run.evidence, process.segments[-1]
    found = _find_last_failure(evidence, process, _list_failures(run, process))
    if found is None or found.text.startswith("<"):  # what Python looks for as source
        return None
    if any(message.time > found.time for message in _list_messages(run, process)):
        return None  # its own words, which name no such error, say more
    return _make_symptom(evidence, "", found, evidence.stage(last), evidence.program(last))


def _find_message_alone(run: DiagnosedRun, process: TracedProcess) -> FailureSymptom | None:
    for message in _list_messages(run, process):
        number = find_errno(message.text)
        return FailureSymptom(message.stage, message.program, message.text, number)
    return None


def _find_last_failure(
    evidence: RunEvidence, process: TracedProcess, failures: list[Seen]
) -> Seen | None:
    """Return the failed call after which the process only cleaned up."""
    for entry in reversed(evidence.list_last_calls(process)):
        if evidence.find_syscall(entry).name in _IDLE:
            continue
        if entry.result < 0:
            for seen in failures:
                if seen.time == entry.time:
                    return seen
        if not gives_up(entry, evidence.find_syscall(entry).name, True):
            return None
    return None


def _find_before_program(run: DiagnosedRun) -> FailureSymptom | None:
    evidence = run.evidence
    failures = [
        failure
        for failure in reversed(evidence.failures)
        if evidence.stage(failure.segment) in _STARTING
    ]
    messages = list(reversed(run.engine_messages))
    for message in messages:
        if found := _find_call_behind(message.text, failures, evidence):
            stage = evidence.stage(found.segment)
            return _make_symptom(
                evidence, strip_prefixes(message.text), found, stage, message.program
            )
    return _choose_message(messages)


def _choose_message(messages: list[StderrLine]) -> FailureSymptom | None:
    for message in messages:
        if number := find_errno(message.text):
            return FailureSymptom(
                message.stage, message.program, strip_prefixes(message.text), number
            )
    for message in (
        *(message for message in messages if sounds_like_error(message.text)),
        *messages,
    ):
        return FailureSymptom(message.stage, message.program, strip_prefixes(message.text))
    return None


def _make_symptom(
    evidence: RunEvidence, text: str, seen: Seen, stage: Stage, program: str
) -> FailureSymptom:
    name = evidence.find_syscall(seen).name
    return FailureSymptom(stage, program, text, seen.errno, name, seen.text, seen)


def _find_call_behind(text: str, failures: Sequence[Seen], evidence: RunEvidence) -> Seen | None:
    """Return the failed call that a message is about: same errno, with its path if possible."""
    number = find_errno(text)
    same = [failure for failure in failures if number and mentions_errno(text, failure.errno)]
    for seen in same:
        if len(seen.text) > 1 and seen.text in text and seen.text not in RUNTIMES:
            return seen
    for seen in same:
        name = PurePosixPath(seen.text).name
        if len(name) > 2 and name in text and name not in RUNTIMES:
            return seen
    words = set(_WORD.findall(text))
    for seen in same:
        if evidence.find_syscall(seen).name in words:
            return seen
    unnamed = [failure for failure in same if not failure.text]
    return unnamed[0] if unnamed and number not in (2, 1) else None
