"""`seclatch explain --pod`: explain what containerd has of a pod, or what it logged."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from seclatch.errors import SeclatchError

if TYPE_CHECKING:
    from seclatch.model.explanation import Explanation
    from seclatch.model.pod import PodSelector
    from seclatch.model.recording.recording import Recording
    from seclatch.process.pod_containers import PodContainerConfig


def explain_pod_start(pod: str, log: Path | None) -> tuple[Explanation, Recording | None]:
    """Try the profile of a pod's container, or say why it was not created. Raise SeclatchError."""
    from seclatch.model.pod import parse_pod
    from seclatch.process.pod_containers import choose_container, list_pod_containers

    selector = parse_pod(pod)
    found = list_pod_containers(selector)
    if explanation := _explain_missing(selector, found, log):
        return explanation, None
    container = choose_container(found, selector)
    if container is None:
        raise _make_error(selector, sandbox=bool(found), log=log)
    return _try_container(container)


def _explain_missing(
    selector: PodSelector, found: list[PodContainerConfig], log: Path | None
) -> Explanation | None:
    """Explain why a container of the pod is not there; None if none is known to be missing."""
    from seclatch.diagnose.evidence.cri_failures import find_failures
    from seclatch.diagnose.evidence.node_log import read_node_log
    from seclatch.diagnose.explain_creation import explain_creation
    from seclatch.model.pod import PodSelector as Selector

    there = {each.names.container: each.created for each in sorted(found, key=_read_time)}
    sandboxes = {each.identifier for each in found if not each.names.container}
    failures = find_failures(read_node_log(log), selector, sandboxes)
    missing = [
        failure
        for name, failure in failures.items()
        if name not in there or failure.is_after(there[name])
    ]
    if not missing:
        return None
    title = str(Selector(selector.namespace, selector.pod, missing[-1].container))
    return explain_creation(title, missing[-1])


def _read_time(found: PodContainerConfig) -> str:
    return found.created


def _try_container(found: PodContainerConfig) -> tuple[Explanation, Recording | None]:
    from seclatch.diagnose.explain_pod import PodStart, explain_pod
    from seclatch.process.pod_containers import find_profile_file

    return explain_pod(
        PodStart(
            str(found.names),
            found.runtime,
            found.latched,
            found.seccomp,
            found.no_new_privileges,
            found.user,
            find_profile_file(found),
            found.pid,
        )
    )


def _make_error(selector: PodSelector, *, sandbox: bool, log: Path | None) -> SeclatchError:
    where = str(log) if log else "the journal"
    if sandbox:
        return SeclatchError(
            f"of pod {selector} this node has the sandbox only: containerd did not create the "
            f"container, and {where} has no message about it",
            remedy="--log FILE: containerd's log; or `kubectl describe pod`, which has the message",
            status=2,
        )
    return SeclatchError(
        f"containerd has no container of pod {selector} on this node",
        remedy="`kubectl get pod -o wide` has the pod's node; --log FILE: containerd's log, which "
        f"has the reason if no sandbox was made ({where} has none)",
        status=2,
    )
