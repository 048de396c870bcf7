"""The security-profiles-operator's `SeccompProfile` (v1beta1). The profile must be resolved."""

from __future__ import annotations

from typing import Any

import yaml

from seclatch.model.action import EPERM
from seclatch.model.arch import Arch
from seclatch.model.profile import Profile
from seclatch.profile.export import oci
from seclatch.profile.export.written import Written

_UNKNOWN = (Arch.LOONGARCH64, Arch.M68K, Arch.SH, Arch.SHEB)


def write(profile: Profile, name: str = "profile") -> Written:
    """The manifest, `metadata.name` being `name`."""
    spec = oci.document(profile)
    warnings = _warnings(profile, spec)
    spec.pop("defaultErrnoRet", None)
    unknown = {arch.scmp for arch in _UNKNOWN}
    if "architectures" in spec:
        spec["architectures"] = [arch for arch in spec["architectures"] if arch not in unknown]
    for rule in spec.get("syscalls", ()):
        if "errnoRet" in rule:  # a string there, and only there
            rule["errnoRet"] = str(rule["errnoRet"])
    manifest = {
        "apiVersion": "security-profiles-operator.x-k8s.io/v1beta1",
        "kind": "SeccompProfile",
        "metadata": {"name": name},
        "spec": spec,
    }
    return Written(yaml.safe_dump(manifest, sort_keys=False, width=100), warnings)


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
    return (*found, *oci.unsaid(profile))
