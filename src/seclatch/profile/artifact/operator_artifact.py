"""A profile as security-profiles-operator's artifact of before KEP-6061: a SeccompProfile, YAML."""

from __future__ import annotations

from seclatch.errors import InputError
from seclatch.model.arch import Arch
from seclatch.model.profile.profile import Profile
from seclatch.profile.artifact.profile_artifact import join_problems, require_equal
from seclatch.profile.export import kubernetes


def write_operator_artifact(profile: Profile, native: Arch, name: str, title: str) -> bytes:
    """Write a resolved profile as the SeccompProfile `title`.

    What is written is read back as the operator does, and compared by meaning.
    """
    written = kubernetes.write(profile, title)
    if written.warnings:
        raise InputError(
            name,
            "",
            f"a SeccompProfile cannot say the same: {join_problems(list(written.warnings))}",
            remedy="change this, or push it without `--format kubernetes`",
        )
    layer = written.text.encode()
    require_equal(profile, layer, native, name)
    return layer
