"""Explain why a pod's container or sandbox was not created: its runtime was never called.

In: what containerd or the kubelet logged about it. Out: the explanation. The profile's file that
the message names is looked at as it is now: it may have been mended since.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from seclatch.diagnose.evidence.cri_failures import CreateFailure
from seclatch.errors import InputError, SeclatchError
from seclatch.model.explanation import Explanation, Remedy, StartMessage
from seclatch.profile.parse.load_profile import parse_profile
from seclatch.profile.parse.profile_source import read_source

KUBELET_PROFILES = Path("/var/lib/kubelet/seccomp")
_MOST_FILES = 1000
# containerd: `cannot load seccomp profile "P": …`, `decoding seccomp profile failed "P": …`; CRI-O:
# `load local profile "P": …`, `unable to load local profile "P": …`.
_PROFILE = re.compile(r'(?:cannot load|decoding|load local)\b[^"]*profile[^"]*"([^"]+)"')
_HANDLER = re.compile(r'no runtime for "([^"]*)" is configured|unknown runtime handler "?([^\s"]*)')
_SECCOMP = re.compile(r"seccomp|SCMP_", re.IGNORECASE)


@dataclass(frozen=True)
class _Cause:
    seccomp: bool
    kind: str
    summary: str
    evidence: list[str] = field(default_factory=list)
    remedies: list[Remedy] = field(default_factory=list)


def explain_creation(title: str, failure: CreateFailure) -> Explanation:
    """Explain a failure of this pod (NAMESPACE/POD, or with /CONTAINER)."""
    cause = _find_cause(failure)
    what = "the container was not created" if failure.container else "the pod has no sandbox"
    return Explanation(
        seccomp=cause.seccomp,
        cause=cause.kind,
        summary=f"{title}: {cause.summary}",
        stage="engine",
        evidence=[*cause.evidence, f"{what}, so no runtime was called and no call was denied"],
        command=[],
        status=None,
        denials=[],
        needs=None,
        messages=[StartMessage(stage="engine", program=failure.source, text=failure.message)],
        remedies=cause.remedies,
        incomplete=0,
    )


def _find_cause(failure: CreateFailure) -> _Cause:
    if match := _PROFILE.search(failure.message):
        return _judge_file(Path(match[1]), failure)
    if match := _HANDLER.search(failure.message):
        return _explain_handler(match[1] or match[2])
    seccomp = bool(_SECCOMP.search(failure.message))
    return _Cause(
        seccomp,
        "profile-refused" if seccomp else "engine-failed",
        f"{failure.source} did not create it: {failure.message}",
    )


def _judge_file(path: Path, failure: CreateFailure) -> _Cause:
    """Look at the profile's file, which containerd could not load when it was asked."""
    if not path.is_file() and path.exists():
        return _Cause(True, "profile-refused", f"the profile {path} is no file: {failure.message}")
    if not path.exists():
        return _Cause(
            False,
            "missing-file",
            f"the profile {path} is not on this node",
            remedies=[*_suggest_files(path)],
        )
    try:
        parse_profile(read_source(path).text(), str(path))
    except InputError as error:
        return _Cause(
            True,
            "profile-refused",
            f"the profile is not one: {error}",
            remedies=[_check(path, error.remedy)],
        )
    except SeclatchError as error:
        return _Cause(True, "profile-refused", f"the profile {path}: {error}")
    return _Cause(
        True,
        "profile-refused",
        f"{failure.source} could not load {path}, which is a profile now",
        ["the kubelet tries again by itself, after at most five minutes"],
        [_check(path, "")],
    )


def _check(path: Path, hint: str) -> Remedy:
    text = f"mend it ({hint}), and check it before" if hint else "check it"
    return Remedy(
        kind="profile",
        text=text,
        command=["seclatch", "profile", "check", str(path)],
        file=str(path),
    )


def _suggest_files(path: Path) -> Iterator[Remedy]:
    """Name what may have been meant: `localhostProfile` is relative to the kubelet's folder."""
    try:
        wanted = str(path.relative_to(KUBELET_PROFILES))
    except ValueError:
        return
    present = [*_list_files()]
    same = [each for each in present if Path(each).name == path.name]
    near = same or difflib.get_close_matches(wanted, present, n=1, cutoff=0.8)
    if near:
        yield Remedy(
            kind="profile",
            text=f"`localhostProfile: {min(near)}`, which is there, in place of {wanted}",
        )
    if wanted.startswith("seclatch/"):
        yield Remedy(
            kind="profile",
            text="`seclatch node` puts it there: see its log on this node (a profile that is not "
            "signed, or that the registry does not have, is named in it)",
        )
    yield Remedy(
        kind="profile",
        text="put the profile there, on each node that may run the pod; the kubelet tries again by "
        "itself",
        command=["install", "-D", "-m", "644", path.name, str(path)],
    )


def _list_files() -> Iterator[str]:
    count = 0
    for folder, _, names in os.walk(KUBELET_PROFILES):
        for name in names:
            count += 1
            if count > _MOST_FILES:
                return
            yield str(Path(folder, name).relative_to(KUBELET_PROFILES))


def _explain_handler(name: str) -> _Cause:
    own = name.startswith("seclatch")
    install = Remedy(
        kind="other",
        text="configure the handler on this node, and restart containerd",
        command=["seclatch", "install", "containerd"],
        then=["systemctl", "restart", "containerd"],
    )
    doctor = Remedy(
        kind="other",
        text="`seclatch doctor` finds a handler that another file hides, and a containerd that was "
        "not restarted since",
        command=["seclatch", "doctor"],
    )
    elsewhere = Remedy(
        kind="other",
        text="keep the RuntimeClass to nodes that have the handler: its `scheduling.nodeSelector`",
    )
    return _Cause(
        False,
        "engine-failed",
        f"this node has no runtime handler {name!r}, which the pod's RuntimeClass asks for",
        ["a RuntimeClass is known to the cluster, its handler to each node's container engine"],
        [install, doctor, elsewhere] if own else [elsewhere],
    )
