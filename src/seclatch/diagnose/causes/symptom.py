"""What failed when it was not seccomp: the words that were said, and the call behind them."""

from __future__ import annotations

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
from seclatch.model.explanation import ExplainedDenial
from seclatch.model.stage import Stage
from seclatch.recording.backends.bpf.detail_events import Seen
from seclatch.recording.trace.trace import TracedProcess

# Shells give the terminal back at their end; where they lead the session the kernel says EPERM.
_IDLE = {"setpgid", "setsid", "ioctl"}

_STARTING = (Stage.HOOK, Stage.INIT, Stage.FILTERED_INIT, Stage.RUNTIME, Stage.SHIM, Stage.ENGINE)


@dataclass(frozen=True, slots=True)
class FailureSymptom:
    """`errno` 0, `call` "" and `path` "" where they are not known. `sure`: a call that failed was
    found, and not only words about one."""

    stage: Stage
    program: str
    text: str = ""
    errno: int = 0
    call: str = ""
    path: str = ""

    @property
    def sure(self) -> bool:
        """Whether a call was found."""
        return bool(self.call)

    @property
    def evidence(self) -> list[str]:
        """What there is to show."""
        found = []
        if self.call:
            what = f'("{self.path}")' if self.path else ""
            code = errno.name_errno(self.errno)
            found.append(f"the kernel itself answered {code} to {self.call}{what}; no filter did")
        return found


def find_symptom(run: DiagnosedRun) -> FailureSymptom | None:
    """The last thing that failed where the failure began; None if nothing is known."""
    if not run.chain:
        return _before_program(run)
    line = list(reversed(run.chain))
    ways = (_behind_words, _at_its_end, _words_alone)
    found = (way(run, process) for way in ways for process in line)
    return next((symptom for symptom in found if symptom), None)


def _failures(run: DiagnosedRun, process: TracedProcess) -> list[Seen]:
    own = run.evidence.own(process)
    return [failure for failure in reversed(run.evidence.failures) if failure.segment in own]


def _said(run: DiagnosedRun, process: TracedProcess) -> list[StderrLine]:
    own = run.evidence.own(process)
    return [message for message in reversed(run.evidence.messages) if message.segment in own]


def _behind_words(run: DiagnosedRun, process: TracedProcess) -> FailureSymptom | None:
    evidence = run.evidence
    failures = _failures(run, process)
    for message in _said(run, process):
        if found := _behind(message.text, failures, evidence):
            return _symptom(evidence, message.text, found, message.stage, message.program)
    return None


def _at_its_end(run: DiagnosedRun, process: TracedProcess) -> FailureSymptom | None:
    evidence, last = run.evidence, process.segments[-1]
    if run.denied:
        return None  # its last failed call is no better reason than a denied one
    found = _at_the_end(evidence, process, _failures(run, process))
    if found is None:
        return None
    return _symptom(evidence, "", found, evidence.stage(last), evidence.program(last))


def _words_alone(run: DiagnosedRun, process: TracedProcess) -> FailureSymptom | None:
    for message in _said(run, process):
        number = find_errno(message.text)
        return FailureSymptom(message.stage, message.program, message.text, number)
    return None


def _at_the_end(evidence: RunEvidence, process: TracedProcess, failures: list[Seen]) -> Seen | None:
    """The failed call after which the process did nothing more for its purpose."""
    for entry in reversed(evidence.life(process)):
        if evidence.name(entry).name in _IDLE:
            continue
        if entry.result < 0:
            for seen in failures:
                if seen.time == entry.time:
                    return seen
        if not gives_up(entry, evidence.name(entry).name, True):
            return None
    return None


def _before_program(run: DiagnosedRun) -> FailureSymptom | None:
    evidence = run.evidence
    failures = [
        failure
        for failure in reversed(evidence.failures)
        if evidence.stage(failure.segment) in _STARTING
    ]
    messages = list(reversed(run.outside))
    for message in messages:
        if found := _behind(message.text, failures, evidence):
            stage = evidence.stage(found.segment)
            return _symptom(evidence, strip_prefixes(message.text), found, stage, message.program)
    return _in_words(messages)


def _in_words(messages: list[StderrLine]) -> FailureSymptom | None:
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


def _symptom(
    evidence: RunEvidence, text: str, seen: Seen, stage: Stage, program: str
) -> FailureSymptom:
    name = evidence.name(seen).name
    return FailureSymptom(stage, program, text, seen.errno, name, seen.text)


def _behind(text: str, failures: Sequence[Seen], evidence: RunEvidence) -> Seen | None:
    """The failed call that a sentence is about: same error, its path named if possible."""
    number = find_errno(text)
    same = [failure for failure in failures if number and mentions_errno(text, failure.errno)]
    for seen in same:
        if len(seen.text) > 1 and seen.text in text and seen.text not in RUNTIMES:
            return seen
    for seen in same:
        name = PurePosixPath(seen.text).name
        if len(name) > 2 and name in text and name not in RUNTIMES:
            return seen
    for seen in same:
        if evidence.name(seen).name in text.split(":", maxsplit=1)[0].split():
            return seen
    unnamed = [failure for failure in same if not failure.text]
    return unnamed[0] if unnamed and number not in (2, 1) else None


def explains_failure(denial: ExplainedDenial, text: str) -> bool:
    """Whether a sentence says what the caller of a denied call was told."""
    return bool(denial.errno) and mentions_errno(text, errno.parse_errno(denial.errno))
