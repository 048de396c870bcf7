"""Make the condition that an annotation names: those that run no command of its author."""

from __future__ import annotations

from seclatch.errors import SeclatchError
from seclatch.model.duration import read_duration
from seclatch.recording.ready.parse_ready import parse_ready
from seclatch.recording.ready.ready_condition import ReadyCondition
from seclatch.tighten.automatic.container_notify import ContainerNotify
from seclatch.tighten.automatic.pod_log import LOGS, PodLogPattern
from seclatch.tighten.automatic.running_annotations import RunningRequest

_ASKED = ("docker", "podman")


def make_condition(
    request: RunningRequest, engine: str, bundle: str, config: str
) -> ReadyCondition:
    """Return the condition. Raises SeclatchError."""
    text = request.ready
    kind, _, rest = text.partition(":")
    if text == "notify":
        return ContainerNotify(text, request.identifier, bundle, config)
    if text == "healthy" and engine not in _ASKED:
        raise SeclatchError(
            f"seclatch.ready=healthy: {engine} has no health checks of its own",
            remedy="give listen:PORT, log:REGEX, notify or a time",
        )
    if kind == "log" and engine not in _ASKED:
        if not request.pod_log:
            raise SeclatchError(
                f"seclatch.ready=log: {engine} keeps no log of a container that is in no pod",
                remedy="give listen:PORT, notify or a time",
            )
        return PodLogPattern(text, rest, LOGS / request.pod_log)
    if kind in ("listen", "log") or text == "healthy" or read_duration(text) is not None:
        return parse_ready(text)
    raise SeclatchError(
        f"seclatch.ready={text[:80]} is no condition",
        remedy="give listen, listen:PORT, healthy, log:REGEX, notify, or a time such as 30s",
    )
