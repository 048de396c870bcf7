"""Docker's format, which carries everything; containers-common reads it too."""

from __future__ import annotations

import json
from typing import Any

from seclatch.model.profile import Condition, Profile, Rule
from seclatch.profile.export import oci
from seclatch.profile.export.written import Written, without_empty


def document(profile: Profile) -> dict[str, Any]:
    """The profile as plain data, with its conditions."""
    value = oci.document(profile)
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


def write(profile: Profile) -> Written:
    """For Docker."""
    return Written(json.dumps(document(profile), indent=2) + "\n")


def write_containers_common(profile: Profile) -> Written:
    """For Podman, Buildah and CRI-O, which do not read minKernel."""
    warnings = [
        f"rule {index} ({', '.join(rule.names[:3])}): Podman does not read minKernel"
        for index, rule in enumerate(profile.rules)
        if rule.includes.min_kernel or rule.excludes.min_kernel
    ]
    return Written(write(profile).text, tuple(warnings))


def _condition(condition: Condition) -> dict[str, Any]:
    kernel = condition.min_kernel
    return without_empty(
        {
            "caps": list(condition.caps),
            "arches": list(condition.arches),
            "minKernel": f"{kernel[0]}.{kernel[1]}" if kernel else "",
        }
    )
