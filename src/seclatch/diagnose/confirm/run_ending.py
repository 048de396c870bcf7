"""How a run ended, and whether another one ended the same way."""

from __future__ import annotations

import errno
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from enum import Enum

from seclatch.diagnose.causes.diagnosed_run import DiagnosedRun
from seclatch.diagnose.denials.error_lines import find_errnos, find_implied_errnos
from seclatch.diagnose.denials.list_denials import DenialCase
from seclatch.diagnose.evidence.run_evidence import RunEvidence, read_exit_code
from seclatch.diagnose.evidence.sentences import sounds_like_error
from seclatch.diagnose.failure.own_words import is_exception, is_mistake
from seclatch.model.stage import Stage
from seclatch.recording.backends.bpf.detail_events import Seen
from seclatch.recording.trace.syscall_names import name_call

# What differs between two runs of one program: container ids, names of temporary files, pointers,
# dates and times, process ids in the usual brackets. Other numbers may be the message.
_VARIABLE = re.compile(
    r"""
    \b[0-9a-f]{12,64}\b | 0x[0-9a-f]+ | /tmp/[\w./-]+ | seclatch-confirm-[\w-]+
    | \b\d{4}[-/.]\d{1,2}[-/.]\d{1,2}\b | \b\d{1,2}:\d{2}:\d{2}(?:[.,]\d+)?(?:Z|[+-]\d{2}:?\d{2})?
    | \b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b | \[\d+\] | \(\d{3,}\) | \b\d+\#\d+:
    | \b\d{10,}\b | \b\d+(?:\.\d+)?\s?(?:ms|us|µs|ns|s|sec|seconds)\b | \bpid[ =:]+\d+
    """,
    re.VERBOSE | re.IGNORECASE,
)
_NUMBER = re.compile(r"\d+")
_SERVING = frozenset({"listen", "accept", "accept4"})
# What there is without a network: no route, no address, no resolver at loopback.
_NO_NETWORK = frozenset(
    {
        errno.ENETUNREACH,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.EADDRNOTAVAIL,
        errno.ECONNREFUSED,
        errno.ENODEV,
    }
)
FailedCall = tuple[str, int, str]
ImageCall = tuple[tuple[str, ...], str]


class Likeness(Enum):
    """How a second run's end is to the first one's."""

    SAME = "same"
    SUCCESS = "succeeded"
    OTHER = "other"


@dataclass(frozen=True)
class RunOutcome:
    """One run's end.

    `words`: the lines of the processes whose failure became the run's; `errors`: those of them that
    name an error; `origin`: the arguments of the process where the failure began; `failed`: calls
    that the kernel itself failed (name, errno, path), `last_failed` the last one of that process;
    `denied`: the names of the calls that the program was denied; `deniers`, `makers`: which image
    (its arguments) was denied a call, and which made one. `stopped`: it went on for much longer
    than the first run, until it was stopped: well only for a server. `incomplete`: a denial may
    be missing.
    """

    status: int
    succeeded: bool = False
    words: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    origin: tuple[str, ...] = ()
    failed: frozenset[FailedCall] = frozenset()
    last_failed: FailedCall | None = None
    denied: frozenset[str] = frozenset()
    deniers: frozenset[ImageCall] = frozenset()
    makers: frozenset[ImageCall] = frozenset()
    stopped: bool = False
    interrupted: bool = False
    incomplete: bool = False

    @property
    def last_words(self) -> str:
        """Return the last line that names an error, else the last one."""
        return (self.errors or self.words or ("",))[-1]


def read_outcome(run: DiagnosedRun, *, stopped: bool, interrupted: bool) -> RunOutcome:
    """Return how a run ended."""
    evidence, chain = run.evidence, run.chain
    ids = {process.id for process in chain}
    of_chain = [
        line for line in evidence.output_lines if evidence.process_of(line.segment).id in ids
    ]
    lines = [line.text for line in (of_chain if chain else run.engine_messages)]
    own = [
        _describe_failure(evidence, seen)
        for seen in evidence.failures
        if chain and evidence.process_of(seen.segment).id == chain[-1].id
    ]
    lost, cases = evidence.trace.lost, list_program_denials(run)
    makers = frozenset(list_makers(evidence))
    serves = any(name in _SERVING for _, name in makers)
    return RunOutcome(
        status=read_exit_code(chain[0]) if chain else evidence.status,
        succeeded=serves if stopped else not run.anything_failed,
        words=tuple(mask_variable(line) for line in lines),
        errors=tuple(mask_variable(line) for line in lines if _names_error(line)),
        origin=evidence.image(chain[-1].segments[-1]).argv if chain else (),
        failed=frozenset(
            _describe_failure(evidence, seen)
            for seen in evidence.failures
            if evidence.stage(seen.segment) is Stage.PROGRAM
        ),
        last_failed=own[-1] if own else None,
        denied=frozenset(case.denial.syscall for case in cases),
        deniers=frozenset(
            (_describe_image(evidence, case.seen.segment), case.denial.syscall) for case in cases
        ),
        makers=makers,
        stopped=stopped,
        interrupted=interrupted,
        incomplete=bool(evidence.sights.lost + lost.events + lost.processes + evidence.missed),
    )


def list_program_denials(run: DiagnosedRun) -> list[DenialCase]:
    """Return the denials of the image's program, also those that it did without."""
    return [case for case in run.denials.all if case.stage is Stage.PROGRAM]


def list_makers(evidence: RunEvidence) -> Iterator[ImageCall]:
    """Yield which image of the container's program made which call, also in vain."""
    for segment in evidence.trace.segments.values():
        if evidence.stage(segment.id) is Stage.PROGRAM:
            image = _describe_image(evidence, segment.id)
            for compat, number in segment.calls:
                yield image, str(name_call(evidence.native, compat, number))


def _describe_image(evidence: RunEvidence, segment: int) -> tuple[str, ...]:
    return tuple(mask_variable(word) for word in evidence.image(segment).argv)


def mask_variable(line: str) -> str:
    """Return a line without what differs between two runs of one program."""
    return _VARIABLE.sub("#", " ".join(line.split()))


def mask_numbers(outcome: RunOutcome) -> RunOutcome:
    """Return an outcome without any number in its lines."""
    words, errors = (
        tuple(_NUMBER.sub("#", line) for line in lines) for lines in (outcome.words, outcome.errors)
    )
    return replace(outcome, words=words, errors=errors)


def _names_error(line: str) -> bool:
    named = find_errnos(line) or find_implied_errnos(line)
    return bool(named or is_exception(line) or is_mistake(line) or sounds_like_error(line))


def _describe_failure(evidence: RunEvidence, seen: Seen) -> FailedCall:
    return evidence.find_syscall(seen).name, seen.errno, mask_variable(seen.text)


def compare_outcomes(first: RunOutcome, other: RunOutcome) -> Likeness:
    """Return how another run's end is to the first one's."""
    if other.succeeded:
        hangs = other.stopped and first.errors and first.errors[-1] in other.errors
        return Likeness.OTHER if hangs else Likeness.SUCCESS
    if other.status != first.status or first.succeeded:
        return Likeness.OTHER
    return Likeness.SAME if _fails_alike(first, other) else Likeness.OTHER


def _fails_alike(first: RunOutcome, other: RunOutcome) -> bool:
    """Return whether the other run, of the same status, fails over the same as the first one.

    Its last error is the first one's last, or an earlier one of the same process after the same
    failed call. Where none names an error, the same process failed, with the same last line or
    after the same failed call.
    """
    same_origin = bool(other.origin) and other.origin == first.origin
    same_call = other.last_failed is not None and other.last_failed == first.last_failed
    if other.errors or first.errors:
        if other.errors[-1:] == first.errors[-1:]:
            return True
        return (
            same_origin
            and same_call
            and other.errors[-1:] != ()
            and other.errors[-1] in first.errors
        )
    return same_origin and (same_call or other.words[-1:] == first.words[-1:])


def find_kernel_refusal(first: RunOutcome, other: RunOutcome, names: Collection[str]) -> str:
    """Return an allowed call that the kernel itself then failed; "" if none.

    With whatever error: a missing capability is EPERM or EACCES, but ENOMEM for mlock(2); EEXIST
    is for what an earlier run has left. Not where it failed alike in the first run.
    """
    return min((call[0] for call in other.failed - first.failed if call[0] in names), default="")


def find_network_failure(other: RunOutcome) -> str:
    """Return a call that failed as it does where there is no network but loopback; "" if none."""
    return min((call[0] for call in other.failed if call[1] in _NO_NETWORK), default="")


def find_unmade_call(first: RunOutcome, other: RunOutcome) -> str:
    """Return a call that was denied in the first run and that the other one did not make at all.

    It took another way then, perhaps by what earlier runs have left: it says nothing of that call.
    """
    return min((name for image, name in first.deniers - other.makers), default="")
