"""What a runtime rejects before it comes to libseccomp."""

from __future__ import annotations

import enum

from seclatch.errors import SeclatchError
from seclatch.model.action import ActionKind
from seclatch.model.arch import Arch
from seclatch.model.profile.profile import Profile


class Runtime(enum.Enum):
    """The runtime that compiles; LIBSECCOMP: the library as crun uses it, nothing refused."""

    RUNC = "runc"
    CRUN = "crun"
    LIBSECCOMP = "libseccomp"


RUNC_UNKNOWN = frozenset({Arch.M68K, Arch.PARISC, Arch.PARISC64, Arch.SH, Arch.SHEB})
"""ABIs that libseccomp knows and runc has no name for."""


def refuse_profile(profile: Profile, runtime: Runtime) -> None:
    """Raise SeclatchError for what the runtime rejects before it comes to libseccomp."""
    if profile.conditional:
        raise SeclatchError(
            "compiling the profile: it has conditions, which a runtime cannot read",
            remedy="resolve it first (`seclatch profile resolve`)",
            status=2,
        )
    if not profile.default_action:
        raise SeclatchError("compiling the profile: it is empty and means no filter", status=2)
    if runtime is Runtime.RUNC:
        _refuse_arches(profile)
        _refuse_notify(profile)
    if runtime is Runtime.CRUN:
        _refuse_errno(profile)


def _refuse_arches(profile: Profile) -> None:
    """runc has a list of its own (KnownArchs in its libcontainer/seccomp, `runc features`)."""
    for arch in profile.architectures:
        if arch in RUNC_UNKNOWN:
            raise _refusal("runc", f"{arch.scmp}, which it has no name for", "leave it out")


def _refuse_notify(profile: Profile) -> None:
    """runc must write(2) the listener's number to its parent after the filter is on."""
    if profile.default.kind is ActionKind.NOTIFY:
        raise _refusal("runc", "SCMP_ACT_NOTIFY as default action")
    for rule in profile.rules:
        if rule.effect.kind is ActionKind.NOTIFY and "write" in rule.names:
            raise _refusal("runc", "SCMP_ACT_NOTIFY for write")


def _refuse_errno(profile: Profile) -> None:
    """crun takes an errnoRet with ERRNO and TRACE only; runc ignores it elsewhere."""
    if profile.default_errno is not None and not profile.default.kind.takes_data:
        raise _refusal("crun", f"defaultErrnoRet with {profile.default_action}")
    for rule in profile.rules:
        if rule.errno is not None and not rule.effect.kind.takes_data:
            names = ", ".join(rule.names[:3])
            raise _refusal("crun", f"errnoRet with {rule.action} (rule of {names})")


def _refusal(runtime: str, what: str, remedy: str = "") -> SeclatchError:
    return SeclatchError(
        f"compiling the profile: {runtime} refuses {what}", remedy=remedy, status=2
    )
