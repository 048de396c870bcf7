"""Open the sources of denials that this kernel and these privileges permit."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass, field

from seclatch.errors import SeclatchError
from seclatch.model.denial_log import Answer
from seclatch.model.seen_denial import SeenAnswer
from seclatch.watch.sources.audit_denials import EVERY_ANSWER, AuditDenials
from seclatch.watch.sources.kernel_denials import KernelDenials
from seclatch.watch.sources.kernel_log_denials import KernelLogDenials
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


_RATE_LIMITED = (
    "they are taken from the kernel's log, which gets few of a burst (kernel.printk_ratelimit)"
)

AuditLines = AuditDenials | KernelLogDenials


@dataclass(slots=True)
class OpenSources:
    """Sources, the answers that they see of every filter, and what they miss."""

    kernel: KernelDenials | None = None
    audit: AuditLines | None = None
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
        sources.audit = _open_lines(list_audited(programs.way, os.uname().release))
    except SeclatchError as error:
        sources.misses.append(f"calls that filters log are not seen: {error}")
        return sources
    sources.sees.append("log")
    sources.misses.append("calls that filters log are read from audit lines, without arguments")
    if isinstance(sources.audit, KernelLogDenials):
        sources.misses.append(_RATE_LIMITED)
    return sources


def _open_audit(reason: SeclatchError) -> OpenSources:
    try:
        audit = _open_lines(EVERY_ANSWER)
    except SeclatchError as error:
        raise SeclatchError(f"{reason}; {error}", remedy=_explain_refusal(reason)) from error
    logged = isinstance(audit, KernelLogDenials)
    misses = f"{reason}: audit lines are read instead, without arguments; traps and {_FLAGGED}"
    return OpenSources(
        audit=audit,
        sees=["kill-process", "kill-thread", "log"],
        misses=[misses, *([_RATE_LIMITED] if logged else [])],
        name="kernel-log" if logged else "audit",
    )


def _open_lines(wanted: Collection[SeenAnswer]) -> AuditLines:
    """Open the audit log, or the kernel's, which other users than root may read on some hosts."""
    try:
        return AuditDenials(wanted)
    except SeclatchError as error:
        try:
            return KernelLogDenials(wanted)
        except SeclatchError as other:
            raise SeclatchError(f"{error}; {other}") from other


def _explain_refusal(reason: SeclatchError) -> str:
    """Say what a user can do; why there is no other way without privileges: decision 0106."""
    if not os.geteuid():
        return reason.remedy
    return (
        f"{reason.remedy}; without root, kernel.dmesg_restrict=0 shows what filters kill and log, "
        "and `seclatch record -- COMMAND` all denials of a command"
    )
