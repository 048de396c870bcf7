"""Check a profile: run every check and put the findings in order."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from seclatch.model.finding import Finding, Severity
from seclatch.profile.checks import (
    abis,
    actions,
    compiled,
    dangerous,
    idle,
    keys,
    names,
    namespaces,
    readers,
    runtime_needs,
    speed,
    twins,
)
from seclatch.profile.checks.subject import Subject
from seclatch.profile.load import Document
from seclatch.profile.place import spell
from seclatch.profile.resolve import Host

SCHEMA = "seclatch.profile-check/1"
"""The version of `report`'s shape; its schema is data/schemas/profile-check-1.json."""

MAX_EACH = 200
"""Findings of one check at most: a hostile profile could have a million, each looked up."""

CHECKS: tuple[Callable[[Subject], Iterator[Finding]], ...] = (
    keys.check,
    names.check,
    idle.check,
    compiled.check,
    actions.check,
    abis.check,
    namespaces.check,
    dangerous.check,
    twins.check,
    speed.check,
    readers.check,
    runtime_needs.check,
)

_ORDER = list(Severity)


def check(document: Document, host: Host) -> list[Finding]:
    """The findings for a profile in force on `host`: errors first, then by place."""
    if not document.profile.default_action:
        message = "the profile is empty: the container runs without seccomp"
        remedy = "give it a defaultAction"
        return [Finding("empty-profile", Severity.WARNING, message, remedy, (), 1, 1)]
    subject = Subject(document.profile, document.raw, host)
    found: list[Finding] = []
    for each in CHECKS:
        some = list(itertools.islice(each(subject), MAX_EACH + 1))
        found += [_placed(finding, document) for finding in some[:MAX_EACH]]
        if len(some) > MAX_EACH:
            message = f"more than {MAX_EACH} findings of this kind; the rest is left out"
            found.append(replace(some[-1], message=message, remedy="", path=()))
    return sorted(found, key=lambda finding: (_ORDER.index(finding.severity), finding.line))


def _placed(finding: Finding, document: Document) -> Finding:
    if not finding.path:
        return finding
    place = document.locate(finding.path)
    return replace(finding, line=place.line, column=place.column)


def report(source: str, host: Host, findings: list[Finding]) -> dict[str, Any]:
    """The findings for machines."""
    return {
        "schema": SCHEMA,
        "file": source,
        "host": {
            "architecture": host.arch.scmp,
            "kernel": "{}.{}".format(*host.kernel),
            "capabilities": sorted(host.caps),
            "engine": host.engine.value,
        },
        "findings": [
            {
                "code": finding.code,
                "severity": finding.severity.value,
                "message": finding.message,
                "remedy": finding.remedy,
                "path": spell(finding.path),
                "line": finding.line,
                "column": finding.column,
            }
            for finding in findings
        ],
    }
