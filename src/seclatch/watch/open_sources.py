"""Open the sources of denials that this kernel and these privileges permit."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from seclatch.errors import SeclatchError
from seclatch.model.denial_log import Answer
from seclatch.watch.sources.audit_denials import EVERY_ANSWER, AuditDenials
from seclatch.watch.sources.kernel_denials import KernelDenials
from seclatch.watch.sources.watch_programs import (
    WatchPrograms,
    WatchWay,
    list_audited,
    load_programs,
)

_RETURNED: tuple[Answer, ...] = ("errno", "trace", "notify")
_SIGNALLED: tuple[Answer, ...] = ("kill-process", "kill-thread", "trap")
_FLAGGED = (
    "denials by errno, tracer or supervisor are seen only of filters that were loaded with "
    "SECCOMP_FILTER_FLAG_LOG (a profile's `flags`)"
)


@dataclass(slots=True)
class OpenSources:
    """Sources, the answers that they see of every filter, and what they miss."""

    kernel: KernelDenials | None = None
    audit: AuditDenials | None = None
    sees: list[Answer] = field(default_factory=list)
    misses: list[str] = field(default_factory=list)
    name: str = ""

    def close(self) -> None:
        """Detach everything."""
        for source in (self.kernel, self.audit):
            if source is not None:
                source.close()


def open_sources(way: WatchWay | None) -> OpenSources:
    """Open kernel programs and, for what they do not see, audit lines; or audit lines alone.

    Raises SeclatchError where neither is permitted, or the given way is not.
    """
    try:
        programs = load_programs(way)
    except SeclatchError as error:
        if way is not None and way is not WatchWay.DENIALS:
            raise
        return _open_audit(error)
    return _complete(programs)


def _complete(programs: WatchPrograms) -> OpenSources:
    cheap = programs.way is WatchWay.DENIALS
    sees = [*(() if cheap else _RETURNED), *_SIGNALLED]
    sources = OpenSources(KernelDenials(programs), sees=sees, name=programs.way.value)
    if cheap:
        sources.misses.append(_FLAGGED)
    if programs.logs:
        sources.sees.append("log")
        return sources
    try:
        sources.audit = AuditDenials(list_audited(programs.way, os.uname().release))
        sources.sees.append("log")
        sources.misses.append("calls that filters log are read from audit lines, without arguments")
    except SeclatchError as error:
        sources.misses.append(f"calls that filters log are not seen: {error}")
    return sources


def _open_audit(reason: SeclatchError) -> OpenSources:
    try:
        audit = AuditDenials(EVERY_ANSWER)
    except SeclatchError as error:
        raise SeclatchError(f"{reason}; {error}", remedy=reason.remedy) from error
    return OpenSources(
        audit=audit,
        sees=["kill-process", "kill-thread", "log"],
        misses=[f"{reason}: audit lines are read instead, without arguments; traps and {_FLAGGED}"],
        name="audit",
    )
