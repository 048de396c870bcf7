"""Keys that nobody reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from seclatch.model.finding import Finding, Severity
from seclatch.model.quotation import quote
from seclatch.profile import wire
from seclatch.profile.checks.subject import Subject
from seclatch.profile.place import Path
from seclatch.profile.word import nearest

_TOP = {field.encode_name for field in msgspec.structs.fields(wire.Seccomp)}
_RULE = {field.encode_name for field in msgspec.structs.fields(wire.Syscall)}
_ARG = {field.encode_name for field in msgspec.structs.fields(wire.Arg)}
_CONDITION = {field.encode_name for field in msgspec.structs.fields(wire.Condition)}


def check(subject: Subject) -> Iterator[Finding]:
    """A mistyped key is silently as good as none: an `include` that should be `includes`."""
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
        message = f"unknown key {quote(key)}: it is not read"
        if key.lower() in lower:
            right = lower[key.lower()]
            message = f"key {quote(key)}: Docker reads it as {right!r}, crun does not"
        remedy = nearest(key, known) or "remove it"
        yield Finding("unknown-key", Severity.ERROR, message, remedy, (*path, key))
