"""Docker's format, which carries everything; containers-common reads it too."""

from __future__ import annotations

import json
from typing import Any

from seclatch.model.profile.profile import Condition, Profile, Rule
from seclatch.model.quoted_text import quote_text
from seclatch.profile.export import oci
from seclatch.profile.export.written_profile import WrittenProfile, without_empty


def make_document(profile: Profile) -> dict[str, Any]:
    """Return the profile as plain data, with its conditions."""
    value = oci.make_document(profile)
    value.pop("syscalls", None)
    value["archMap"] = [
        {"architecture": arch.scmp, "subArchitectures": [each.scmp for each in further]}
        for arch, further in profile.arch_map
    ]
    rules = [rule_document(rule) for rule in profile.rules]
    # An empty list of flags differs from none: with none, runtimes choose some themselves.
    flags = {} if profile.flags is None else {"flags": list(profile.flags)}
    return without_empty(value) | flags | {"syscalls": rules}


def rule_document(rule: Rule) -> dict[str, Any]:
    """One entry of `syscalls`."""
    more = {
        "comment": rule.comment,
        "includes": _condition(rule.includes),
        "excludes": _condition(rule.excludes),
    }
    return oci.rule_document(rule) | without_empty(more)


def write(profile: Profile) -> WrittenProfile:
    """For Docker, which reads errnos as numbers only."""
    named = [(f"rule {n}: errno", rule.errno_name) for n, rule in enumerate(profile.rules)]
    warnings = [
        f"{what} {quote_text(name)} is written as its number: Docker does not read names"
        for what, name in (*named, ("defaultErrno", profile.default_errno_name))
        if name
    ]
    return WrittenProfile(_text(make_document(profile)), tuple(warnings))


def write_containers_common(profile: Profile) -> WrittenProfile:
    """For Podman, Buildah and CRI-O, which read names of errnos, and no minKernel."""
    warnings = [
        f"rule {index} ({', '.join(rule.names[:3])}): Podman does not read minKernel"
        for index, rule in enumerate(profile.rules)
        if rule.includes.min_kernel or rule.excludes.min_kernel
    ]
    value = make_document(profile)
    _name_errno(value, "defaultErrno", profile.default_errno, profile.default_errno_name)
    for index, rule in enumerate(profile.rules):
        _name_errno(value["syscalls"][index], "errno", rule.errno, rule.errno_name)
    return WrittenProfile(_text(value), tuple(warnings))


def _name_errno(value: dict[str, Any], key: str, number: int | None, name: str) -> None:
    """As it was given: the name, which counts, and the number only if there was one."""
    if name:
        value.pop(f"{key}Ret", None)
        value |= {key: name} | ({} if number is None else {f"{key}Ret": number})


def _text(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2) + "\n"


def _condition(condition: Condition) -> dict[str, Any]:
    kernel = condition.min_kernel
    return without_empty(
        {
            "caps": list(condition.caps),
            "arches": list(condition.arches),
            "minKernel": f"{kernel[0]}.{kernel[1]}" if kernel else "",
        }
    )
