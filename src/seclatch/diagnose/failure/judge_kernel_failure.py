"""Judge a call that the kernel itself failed: on its own, or because of a denied call."""

from __future__ import annotations

import re
from errno import ECONNREFUSED, ENOENT

from seclatch.diagnose.denials.list_denials import DenialCase
from seclatch.diagnose.evidence.run_evidence import (
    has_failed,
)
from seclatch.diagnose.failure.judged_failure import FailureVerdict, JudgedFailure
from seclatch.diagnose.failure.later_failures import Relation, relate
from seclatch.diagnose.failure.own_words import is_advice
from seclatch.model import errno
from seclatch.recording.backends.bpf.detail_events import Seen

_SERVING = ("bind", "listen")
_ADDRESS = re.compile(r"(?<=:)\d{2,5}\b|(?<![\w.])/[\w.-]+/[\w./-]+")


def judge_kernel_failure(failure: JudgedFailure, failed: Seen) -> FailureVerdict:
    """Judge a call that the kernel itself failed: on its own, or because of a denial."""
    found = [(_relate(failure, case, failed), case) for case in failure.cases]
    relation = max((one for one, _ in found), default=Relation.NO)
    name = failure.evidence.find_syscall(failed).name
    paths = ", ".join(f'"{path}"' for path in failed.paths)
    what = f"{name}({paths}) with {errno.name_errno(failed.errno)}"
    if relation is Relation.NO:
        fact = f"the kernel itself failed {what}, and no denied call has to do with that"
        return FailureVerdict(False, None, [fact], failed)
    case = next(case for one, case in reversed(found) if one is relation)
    if relation is Relation.MAYBE and not _is_at_same_address(failure, case, failed):
        return FailureVerdict(None, case, failed=failed)
    fact = f"without it the kernel failed {what} later, which the program ended over"
    return FailureVerdict(True, case, [fact], failed)


def _is_at_same_address(failure: JudgedFailure, case: DenialCase, failed: Seen) -> bool:
    """Return whether a client was refused at the address at which a failed server was denied.

    By the port or the socket's path that both report.
    """
    refused = failed.errno in (ECONNREFUSED, ENOENT) and failure.words.last_error
    if not refused or case.syscall.name not in _SERVING or not has_failed(case.process):
        return False
    if failure.evidence.find_syscall(failed).name != "connect":
        return False
    reported = failure.words.list_of(case.process, case.seen.time)
    addresses = {found for line in reported for found in _ADDRESS.findall(line.text)}
    return bool(addresses & set(_ADDRESS.findall(refused.text)))


def _relate(failure: JudgedFailure, case: DenialCase, failed: Seen) -> Relation:
    """Return whether a failed call may follow from a denial, by its program's operands too."""
    other = failed.segment not in case.process.segments
    gave_up = other and has_failed(case.process)
    operands = failure.evidence.image(case.seen.segment).argv if gave_up else ()
    found = relate(case.seen, case.syscall.name, failed, operands)
    return max(found, Relation.MAYBE if _follows_directly(failure, case, failed) else Relation.NO)


def _follows_directly(failure: JudgedFailure, case: DenialCase, failed: Seen) -> bool:
    """Return whether a failure came right after a denied call without a path: a fallback's."""
    if failed.segment not in case.process.segments:
        return False
    told = bool(case.seen.paths) or is_advice(case.syscall.name)
    return not told and not failure.worked_between(case, failed.time)
