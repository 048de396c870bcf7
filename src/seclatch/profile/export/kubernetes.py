"""The security-profiles-operator's `SeccompProfile` (v1beta1). The profile must be resolved.

`errnoRet` is a number since its release 0.9 (it was a string, which Kubernetes now refuses), and 0
is as if it were not there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from seclatch.model.action import EPERM
from seclatch.model.arch import Arch
from seclatch.model.profile.profile import Profile, Rule
from seclatch.model.seccomp_data import MAX_ARGS
from seclatch.profile.export import oci
from seclatch.profile.export.written_profile import WrittenProfile

_MAX = (1 << 63) - 1
"""Kubernetes' integers are signed."""

_UNKNOWN = (Arch.LOONGARCH64, Arch.M68K, Arch.SH, Arch.SHEB)


def write(profile: Profile, name: str = "profile") -> WrittenProfile:
    """Write the manifest, `metadata.name` being `name`."""
    spec = oci.make_document(profile)
    warnings = _warnings(profile, spec)
    spec.pop("defaultErrnoRet", None)
    unknown = {arch.scmp for arch in _UNKNOWN}
    if "architectures" in spec:
        spec["architectures"] = [arch for arch in spec["architectures"] if arch not in unknown]
    manifest = {
        "apiVersion": "security-profiles-operator.x-k8s.io/v1beta1",
        "kind": "SeccompProfile",
        "metadata": {"name": name},
        "spec": spec,
    }
    return WrittenProfile(yaml.safe_dump(manifest, sort_keys=False, width=100), warnings)


def _warnings(profile: Profile, spec: dict[str, Any]) -> tuple[str, ...]:
    found = []
    default = spec.get("defaultErrnoRet")
    if default is not None and (default != EPERM or not profile.default.kind.takes_data):
        instead = "EPERM is answered" if profile.default.kind.takes_data else "it has no meaning"
        found.append(f"defaultErrnoRet {default}: the operator has no such field, {instead}")
    found += [
        f"{arch.scmp}: the operator does not know this architecture"
        for arch in profile.architectures
        if arch in _UNKNOWN
    ]
    if profile.flags == ():
        found.append("an empty list of flags: the operator writes none, and the runtime chooses")
    for index, rule in enumerate(profile.rules):
        found += (f"rule {index}: {problem}" for problem in _problems(rule))
    return (*found, *oci.list_unsaid(profile))


def _problems(rule: Rule) -> Iterator[str]:
    if oci.read_errno(rule.errno, rule.errno_name) == 0:
        instead = "answers EPERM" if rule.effect.kind.takes_data else "does not need it"
        yield f"errnoRet 0: the operator takes it for none, and {instead}"
    if any(value > _MAX for arg in rule.args for value in (arg.value, arg.value_two)):
        yield f"values beyond {_MAX:#x}: Kubernetes refuses the manifest"
    if len(rule.args) > MAX_ARGS:
        yield f"more than {MAX_ARGS} comparisons: Kubernetes refuses the manifest"
