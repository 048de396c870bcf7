"""Remedy for a filter from crun's cache, which may be an earlier profile's.

crun finds a compiled filter again by a checksum of the profile that leaves out a rule's `errnoRet`
(measured with 1.21, decision 0071). A profile that differs from an earlier one in nothing else gets
the errnos of that one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from seclatch.diagnose.denials.list_denials import DenialCase
from seclatch.diagnose.evidence.container_bundles import find_option_values
from seclatch.diagnose.evidence.run_evidence import RunEvidence
from seclatch.model import errno
from seclatch.model.explanation import Remedy


def find_stale_filter(evidence: RunEvidence, cases: Sequence[DenialCase]) -> Iterator[Remedy]:
    """Yield a remedy if a caller got another errno than the profile has."""
    wrong_errnos = {
        f"{case.denial.syscall}: {case.denial.errno} instead of "
        f"{errno.name_errno(case.meant)}": case
        for case in cases
        if case.meant
    }
    for words, case in list(wrong_errnos.items())[:1]:
        more = f" and {len(wrong_errnos) - 1} more" if len(wrong_errnos) > 1 else ""
        yield Remedy(
            kind="other",
            text="have crun compile the profile: it found an earlier profile's filter in its "
            f"cache, which does not distinguish errnos ({words}{more})",
            command=["rm", "-r", str(_find_cache(evidence, case) / "seccomp")],
        )


def _find_cache(evidence: RunEvidence, case: DenialCase) -> PurePosixPath:
    """Return the cache's directory: below crun's state, which depends on the user."""
    if case.session is None or not case.session.runtime:
        return PurePosixPath("/run/crun/.cache")
    runtime = evidence.trace.segments[case.session.runtime]
    uid = runtime.facts.uid
    state = f"/run/user/{uid}/crun" if uid else "/run/crun"
    return PurePosixPath((find_option_values(runtime.argv, "--root") or [state])[-1]) / ".cache"
