"""Check a profile: run every check and put the findings in order."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from seclatch.errors import InputError
from seclatch.model.profile.finding import Finding, Severity
from seclatch.profile.checks import (
    abis,
    actions,
    comparisons,
    compiled_program,
    conditions,
    dangerous,
    keys,
    names,
    namespaces,
    old_and_new_calls,
    reader_differences,
    rules_without_effect,
    runtime_needs,
    speed,
)
from seclatch.profile.checks.checked_profile import CheckedProfile
from seclatch.profile.compile.resolve_profile import Host
from seclatch.profile.export import docker
from seclatch.profile.parse.load_profile import ProfileDocument
from seclatch.profile.parse.raw_program import RecoveredProfile
from seclatch.profile.parse.text_position import PlacedError, TextPosition, spell_path

SCHEMA = "seclatch.profile-check/1"
"""The version of `report`'s shape; its schema is data/schemas/profile-check-1.json."""

MAX_EACH = 200
"""Findings of one check at most: a hostile profile could have a million, each looked up."""

CHECKS: tuple[Callable[[CheckedProfile], Iterator[Finding]], ...] = (
    keys.check_keys,
    names.check_names,
    conditions.check_conditions,
    comparisons.check_comparisons,
    rules_without_effect.check_rules_without_effect,
    compiled_program.check_compiled_program,
    actions.check_actions,
    abis.check_abis,
    namespaces.check_namespaces,
    dangerous.check_dangerous_calls,
    old_and_new_calls.check_old_and_new_calls,
    speed.check_speed,
    reader_differences.check_reader_differences,
    runtime_needs.check_runtime_needs,
)

PROGRAM_CHECKS: tuple[Callable[[CheckedProfile], Iterator[Finding]], ...] = (
    actions.check_actions,
    abis.check_abis,
    namespaces.check_namespaces,
    dangerous.check_dangerous_calls,
    old_and_new_calls.check_old_and_new_calls,
    speed.check_speed,
    runtime_needs.check_runtime_needs,
)
"""Those that are not about how a profile is written, nor what a runtime would make of it."""

_ORDER = list(Severity)


def check_profile(document: ProfileDocument, host: Host) -> list[Finding]:
    """Check a profile in force on `host`; return findings, errors first, then by position."""
    if not document.profile.default_action:
        message = "the profile is empty: the container runs without seccomp"
        remedy = "give it a defaultAction"
        return [Finding("empty-profile", Severity.WARNING, message, remedy, (), 1, 1)]
    subject = CheckedProfile(document.profile, document.raw, host, document.manifest)
    found = _run(CHECKS, subject)
    return _sorted(_placed(each, document) for each in found)


def check_program(recovered: RecoveredProfile, host: Host) -> list[Finding]:
    """Check a BPF program by the rules that it decompiles to."""
    raw = docker.make_document(recovered.profile)
    found = _run(PROGRAM_CHECKS, CheckedProfile(recovered.profile, raw, host, program=True))
    beyond = (
        Finding(
            "beyond-rules", Severity.NOTE, warning, "read it with `seclatch filter disassemble`"
        )
        for warning in recovered.warnings
    )
    return _sorted([*found, *itertools.islice(beyond, MAX_EACH)])


def not_a_profile(error: InputError) -> Finding:
    """Return as a finding why a file cannot be read as a profile."""
    where = error.where if isinstance(error, PlacedError) else TextPosition()
    return Finding(
        "not-a-profile",
        Severity.ERROR,
        error.problem,
        error.remedy,
        where.path,
        where.line,
        where.column,
    )


def _run(
    checks: Iterable[Callable[[CheckedProfile], Iterator[Finding]]], subject: CheckedProfile
) -> list[Finding]:
    found: list[Finding] = []
    for each in checks:
        some = list(itertools.islice(each(subject), MAX_EACH + 1))
        found += some[:MAX_EACH]
        if len(some) > MAX_EACH:
            message = f"more than {MAX_EACH} findings of this kind; the rest is left out"
            found.append(replace(some[-1], message=message, remedy="", path=()))
    return found


def _sorted(findings: Iterable[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda finding: (_ORDER.index(finding.severity), finding.line))


def _placed(finding: Finding, document: ProfileDocument) -> Finding:
    if not finding.path:
        return finding
    place = document.locate(finding.path)
    return replace(finding, line=place.line, column=place.column)


def report_findings(source: str, host: Host, findings: list[Finding]) -> dict[str, Any]:
    """Return the findings for machines."""
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
                "path": spell_path(finding.path),
                "rule": finding.rule,
                "line": finding.line,
                "column": finding.column,
            }
            for finding in findings
        ],
    }
