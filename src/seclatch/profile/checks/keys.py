"""Keys that no engine or runtime reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from seclatch.model.profile.finding import Finding, Severity
from seclatch.model.quoted_text import quote_text
from seclatch.profile.checks.checked_profile import CheckedProfile
from seclatch.profile.parse import json_shapes
from seclatch.profile.parse.suggest_keyword import suggest_nearest
from seclatch.profile.parse.text_position import Path

_TOP = {field.encode_name for field in msgspec.structs.fields(json_shapes.Seccomp)}
_RULE = {field.encode_name for field in msgspec.structs.fields(json_shapes.RuleShape)}
_ARG = {field.encode_name for field in msgspec.structs.fields(json_shapes.ArgShape)}
_CONDITION = {field.encode_name for field in msgspec.structs.fields(json_shapes.ConditionShape)}


def check_keys(subject: CheckedProfile) -> Iterator[Finding]:
    """Find mistyped keys, which readers ignore silently: `include` for `includes`."""
    yield from _unknown(subject.raw, _TOP, ())
    for index, rule in enumerate(subject.raw.get("syscalls") or ()):
        path = ("syscalls", index)
        yield from _unknown(rule, _RULE, path)
        for key in ("includes", "excludes"):
            yield from _unknown(rule.get(key) or {}, _CONDITION, (*path, key))
        for number, arg in enumerate(rule.get("args") or ()):
            yield from _unknown(arg, _ARG, (*path, "args", number))


def _unknown(value: dict[str, Any], known: set[str], path: Path) -> Iterator[Finding]:
    lower = {key.lower(): key for key in known}
    for key in value:
        if key in known:
            continue
        message = f"unknown key {quote_text(key)}: it is not read"
        if key.lower() in lower:
            right = lower[key.lower()]
            message = f"key {quote_text(key)}: Docker reads it as {right!r}, crun does not"
        remedy = suggest_nearest(key, known) or "remove it"
        yield Finding("unknown-key", Severity.ERROR, message, remedy, (*path, key))
