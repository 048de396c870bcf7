"""OCI's `linux.seccomp`, in the shape in which Go programs write it."""

from __future__ import annotations

import json
from typing import Any

from seclatch.model import errno
from seclatch.model.profile.profile import Arg, Profile, Rule
from seclatch.profile.export.written_profile import WrittenProfile, without_empty


def make_document(profile: Profile) -> dict[str, Any]:
    """Return the value as plain data, which has no place for conditions and archMap."""
    return without_empty(
        {
            "defaultAction": profile.default_action,
            "defaultErrnoRet": read_errno(profile.default_errno, profile.default_errno_name),
            "architectures": [arch.scmp for arch in profile.architectures],
            "flags": list(profile.flags or ()),
            "listenerPath": profile.listener_path,
            "listenerMetadata": profile.listener_metadata,
            "syscalls": [rule_document(rule) for rule in profile.rules],
        }
    )


def write(profile: Profile) -> WrittenProfile:
    """Write the bare value. The profile must be resolved."""
    # An empty list of flags differs from none; engines leave it out (Go's omitempty).
    flags: dict[str, Any] = {"flags": []} if profile.flags == () else {}
    return WrittenProfile(
        json.dumps(make_document(profile) | flags, indent=2) + "\n", list_unsaid(profile)
    )


def list_unsaid(profile: Profile) -> tuple[str, ...]:
    """List what has no place in OCI's shape, nor in those made of it."""
    commented = [str(index) for index, rule in enumerate(profile.rules) if rule.comment]
    if not commented:
        return ()
    more = ", …" if commented[8:] else ""
    return (f"the comments of {len(commented)} rules ({', '.join(commented[:8])}{more})",)


def rule_document(rule: Rule) -> dict[str, Any]:
    """One entry of `syscalls`."""
    value: dict[str, Any] = {"names": list(rule.names), "action": rule.action}
    errno_ret = read_errno(rule.errno, rule.errno_name)
    if errno_ret is not None:
        value["errnoRet"] = errno_ret
    if rule.args:
        value["args"] = [arg_document(arg) for arg in rule.args]
    return value


def arg_document(arg: Arg) -> dict[str, Any]:
    """One entry of `args`."""
    second = {"valueTwo": arg.value_two} if arg.value_two else {}
    return {"index": arg.index, "value": arg.value} | second | {"op": arg.operator.scmp}


def read_errno(value: int | None, name: str) -> int | None:
    """Return the number of an errnoRet; containers-common's name of it takes precedence.

    Raises ValueError for an unknown one.
    """
    return errno.parse_errno(name) if name else value
