"""Find which filter of a stack answered a call, and how: by running the filters on the call."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from seclatch.filter.classic_bpf.simulate import simulate_stack
from seclatch.model.action import Action, ActionKind
from seclatch.model.arch import Arch
from seclatch.model.denial_log import Answer, AnsweringFilter
from seclatch.model.filter import Filter
from seclatch.model.seccomp_data import SeccompData
from seclatch.model.seen_denial import SeenAnswer, SeenDenial
from seclatch.model.syscall import Syscall
from seclatch.process.thread_filters import fingerprint_program
from seclatch.process.tightened_records import (
    TightenedFilter,
    digest_program,
    read_tightened,
)
from seclatch.watch.known_profiles import KnownProfiles
from seclatch.watch.process_contexts import DeniedProcess

_BUDGET_SECONDS = 1.0
_MAX_DECODED = 1 << 18
"""Instructions that are kept decoded: of some 130 bytes each, 32 MiB."""

_ANSWERS: dict[ActionKind, Answer] = {
    ActionKind.KILL_PROCESS: "kill-process",
    ActionKind.KILL_THREAD: "kill-thread",
    ActionKind.TRAP: "trap",
    ActionKind.ERRNO: "errno",
    ActionKind.NOTIFY: "notify",
    ActionKind.TRACE: "trace",
    ActionKind.LOG: "log",
}
_SEEN: dict[SeenAnswer, Answer] = {
    SeenAnswer.RETURNED: "errno",
    SeenAnswer.TRAP: "trap",
    SeenAnswer.KILL: "kill",
    SeenAnswer.LOG: "log",
    SeenAnswer.ERRNO: "errno",
    SeenAnswer.TRACE: "trace",
    SeenAnswer.NOTIFY: "notify",
    SeenAnswer.KILL_THREAD: "kill-thread",
    SeenAnswer.KILL_PROCESS: "kill-process",
}
_CONSISTENT = {
    SeenAnswer.RETURNED: {"errno", "trace", "notify"},
    SeenAnswer.KILL: {"kill-thread", "kill-process"},
}


@dataclass(frozen=True, slots=True)
class FoundAnswer:
    """What the filters say, and which one said it (its program, b"" if not known).

    `layer` of `layers`, 1 the oldest.
    """

    answer: Answer
    action: Action | None = None
    code: bytes = b""
    layer: int = 0
    layers: int = 0


class AnswerFinder:
    """Runs filters within a limit of time for each epoch: any process may load the longest."""

    def __init__(self) -> None:
        self._spent = 0.0
        self._undecided = 0
        self._decoded: OrderedDict[bytes, Filter] = OrderedDict()
        self._instructions = 0

    def begin_epoch(self) -> None:
        """Give the next denials time for running filters again."""
        self._spent = 0.0

    def take_undecided(self) -> int:
        """Return how many calls were perhaps denied, and their filters not run for lack of time."""
        undecided, self._undecided = self._undecided, 0
        return undecided

    def find(self, denial: SeenDenial) -> FoundAnswer | None:
        """Return the answer to a call; None where the filters allow what was perhaps denied."""
        seen = _SEEN[denial.answer]
        details = denial.details
        if details is None or not details.layers or details.args is None:
            return None if denial.unsure else FoundAnswer(seen)
        if self._spent > _BUDGET_SECONDS:
            self._undecided += denial.count if denial.unsure else 0
            return None if denial.unsure else FoundAnswer(seen)
        began = time.monotonic()
        programs = [self._decode(code) for code in reversed(details.layers)]  # the oldest first
        call = SeccompData(
            denial.arch.audit, denial.number & 0xFFFFFFFF, details.args, details.pointer
        )
        verdict = simulate_stack(programs, call)
        self._spent += time.monotonic() - began
        answer = _ANSWERS.get(verdict.action.kind, "unknown")
        if answer not in _CONSISTENT.get(denial.answer, {seen}):
            return None if denial.unsure else FoundAnswer(seen)
        code = details.layers[len(programs) - 1 - verdict.layer]
        return FoundAnswer(answer, verdict.action, code, verdict.layer + 1, len(programs))

    def _decode(self, code: bytes) -> Filter:
        known = self._decoded.get(code)
        if known is None:
            known = Filter.from_bytes(code, "little" if Arch.native().little else "big")
            self._decoded[code] = known
            self._instructions += len(known)
        self._decoded.move_to_end(code)
        while self._instructions > _MAX_DECODED and len(self._decoded) > 1:
            self._instructions -= len(self._decoded.popitem(last=False)[1])
        return known


class TightenedFilters:
    """The filters that `seclatch tighten` put on, read again at most once in an epoch."""

    def __init__(self) -> None:
        self._records: Mapping[tuple[int, str], TightenedFilter] | None = None

    def begin_epoch(self) -> None:
        """Read the records again when the next denial needs them."""
        self._records = None

    def find(self, found: FoundAnswer, pid: int) -> str:
        """Return when the filter was put on, "" if it was not.

        The denial may have ended the process. One that descends from a tightened process is in no
        record: there the program decides, if it is not the oldest, which a runtime loads.
        """
        if self._records is None:
            self._records = read_tightened(ended=True)
        if not self._records or not found.code:
            return ""
        digest = digest_program(found.code)
        own = self._records.get((pid, digest))
        if own is None and found.layer > 1:
            own = next((each for each in self._records.values() if each.digest == digest), None)
        return own.when if own else ""


def describe_filter(
    found: FoundAnswer,
    syscall: Syscall,
    args: tuple[int, ...],
    context: DeniedProcess,
    profiles: KnownProfiles,
) -> AnsweringFilter:
    """Name the filter, its profile, and the rule of it that answers the call."""
    if not found.code:
        return AnsweringFilter()
    fingerprint = fingerprint_program(found.code)
    name, evaluator = profiles.find(found.code, context)
    if evaluator is None:
        return AnsweringFilter(
            fingerprint=fingerprint, profile=name, layer=found.layer, layers=found.layers
        )
    ruling = evaluator.evaluate(syscall, args)
    return AnsweringFilter(
        fingerprint=fingerprint,
        profile=name,
        by=ruling.by,
        index=ruling.rule,
        text=ruling.reason,
        layer=found.layer,
        layers=found.layers,
    )
