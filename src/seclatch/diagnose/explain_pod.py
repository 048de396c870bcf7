"""Explain why a pod's container does not start: try its profile with its runtime.

In: what the CRI implementation gave the runtime. Out: the explanation, with remedies for a pod.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import msgspec

from seclatch.diagnose.evidence.container_bundles import BundleContainer
from seclatch.diagnose.explain_command import try_container
from seclatch.errors import InputError
from seclatch.model.explanation import Explanation, Remedy
from seclatch.model.recording.recording import Recording
from seclatch.profile.parse.load_profile import parse_profile

_LATCH_TEXT = (
    "let the profile bind the program only; the runtime then needs nothing of it: "
    "`seclatch install containerd`, a RuntimeClass with `handler: seclatch`, and its name as "
    "`runtimeClassName` of the pod"
)
_PRIVILEGES_TEXT = (
    "`allowPrivilegeEscalation: false` in the container's securityContext (no_new_privs): the "
    "runtime then loads the filter later"
)


@dataclass(frozen=True, slots=True)
class PodStart:
    """A container of a pod as its runtime is to start it.

    `title` is NAMESPACE/POD/CONTAINER; `file` has the profile, None where only the container's
    configuration has it; `pid` is 0 unless it runs.
    """

    title: str
    runtime: str
    latched: bool
    seccomp: object
    no_new_privileges: bool
    user: tuple[int, int]
    file: Path | None = None
    pid: int = 0


def explain_pod(start: PodStart) -> tuple[Explanation, Recording | None]:
    """Try the start in a throwaway container. Raises SeclatchError.

    There is no recording where the container has no profile: then nothing is to be tried.
    """
    if not isinstance(start.seccomp, dict):
        return _without_profile(start), None
    if error := _find_error(start):
        return _with_broken_profile(start, error), None
    with tempfile.TemporaryDirectory(prefix="seclatch-explain-") as folder:
        file = Path(folder, "profile.json")
        file.write_text(json.dumps(start.seccomp, indent=1))
        source = start.file or file
        container = BundleContainer(str(source), start.seccomp, start.no_new_privileges, start.user)
        explanation, recording = try_container(
            container, source, start.runtime, latched=start.latched
        )
        explanation = _name_profile(explanation, str(file), f"the profile of {start.title}")
    if explanation.cause == "none":
        explanation = _limit_to_start(explanation, start)
    return (
        msgspec.structs.replace(
            explanation,
            summary=f"{start.title}: {explanation.summary}",
            evidence=[*explanation.evidence, *_describe(start)],
            remedies=[_for_pod(remedy) for remedy in explanation.remedies],
            fix=explanation.fix if start.file else None,
        ),
        recording,
    )


def _limit_to_start(explanation: Explanation, start: PodStart) -> Explanation:
    """Say that the start alone was tried: the image's own program may be what fails."""
    name = start.title.rpartition("/")[2]
    command = ["seclatch", "explain", "--next", "--name", name]
    text = "if the pod fails, its own program does: wait for the kubelet's next start of it"
    if start.pid:
        command = ["seclatch", "explain", "--container", str(start.pid)]
        text = "what its own program is denied from now on"
    return msgspec.structs.replace(
        explanation,
        summary="starts under its profile, tried with /bin/true in place of its program",
        remedies=[Remedy(kind="other", text=text, command=command)],
    )


def _find_error(start: PodStart) -> InputError | None:
    """Return what makes the profile none, by the rules of the runtime specification."""
    try:
        parse_profile(json.dumps(start.seccomp, indent=1), "its profile")
    except InputError as error:
        return error
    return None


def _without_profile(start: PodStart) -> Explanation:
    return _make_explanation(
        start,
        False,
        "none",
        f"{start.title} has no seccomp profile: seccomp does not keep it from starting",
    )


def _with_broken_profile(start: PodStart, error: InputError) -> Explanation:
    """Explain without a trial: containerd takes any JSON, and its runtime none but a profile."""
    hint = f" ({error.remedy})" if error.remedy else ""
    return _make_explanation(
        start,
        True,
        "profile-refused",
        f"{start.title}: {start.runtime} cannot take its profile: {error.problem}{hint}",
        [
            Remedy(
                kind="profile",
                text="mend the profile's file on this node; `seclatch profile check FILE` names "
                "the line",
            )
        ],
    )


def _make_explanation(
    start: PodStart,
    seccomp: bool,
    cause: str,
    summary: str,
    remedies: list[Remedy] | None = None,
) -> Explanation:
    return Explanation(
        seccomp=seccomp,
        cause=cause,
        summary=summary,
        stage="runtime" if seccomp else "",
        evidence=_describe(start),
        command=[],
        status=None,
        denials=[],
        needs=None,
        messages=[],
        remedies=remedies or [],
        incomplete=0,
    )


def _describe(start: PodStart) -> list[str]:
    """Return what was tried, as the CRI implementation has it."""
    runtime = f"{start.runtime} with the latch" if start.latched else start.runtime
    set_ = "on" if start.no_new_privileges else "off"
    found = [f"tried as {start.title} is configured: {runtime}, no_new_privs {set_}"]
    if start.pid:
        found.append(f"it runs now, as process {start.pid}: `seclatch watch --pod {start.title}`")
    return found


def _for_pod(remedy: Remedy) -> Remedy:
    """Replace remedies for the throwaway container, which do not help, by those for a pod."""
    texts = {"latch": _LATCH_TEXT, "no-new-privs": _PRIVILEGES_TEXT}
    text = texts.get(remedy.kind, remedy.text)
    command = [] if remedy.command[:2] == ["seclatch", "run"] else remedy.command
    return msgspec.structs.replace(remedy, text=text, command=command)


def _name_profile(explanation: Explanation, path: str, name: str) -> Explanation:
    """Replace the path of a temporary file by the name of its content, in all texts."""
    document = _replace_text(msgspec.to_builtins(explanation), path, name)
    return msgspec.convert(document, Explanation)


def _replace_text(value: object, old: str, new: str) -> object:
    if isinstance(value, str):
        return value.replace(old, new)
    if isinstance(value, list):
        return [_replace_text(each, old, new) for each in value]
    if isinstance(value, dict):
        return {key: _replace_text(each, old, new) for key, each in value.items()}
    return value
