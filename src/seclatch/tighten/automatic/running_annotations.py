"""Read the annotations by which a container asks for a running profile.

Annotating a container does not take root, so all of this is hostile: the profile is a name and
never a path, no condition runs a command, and misspelt keys are refused, for one of them may have
been `seclatch.unready=stop`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from seclatch.errors import InputError
from seclatch.model.duration import read_duration
from seclatch.model.pod import find_annotation, find_keys, is_sandbox, read_pod
from seclatch.recording.annotated.annotation import read_bundle_annotations

KEY = "seclatch.running"
READY, UNREADY, EXEC, LIMIT = (
    "seclatch.ready",
    "seclatch.unready",
    "seclatch.exec",
    "seclatch.limit",
)
_KEYS = (KEY, READY, UNREADY, EXEC, LIMIT)
_RECORD = "seclatch.record"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_DEFAULT_LIMIT, _MOST = 300.0, 86400.0
_UID = "io.kubernetes.cri.sandbox-uid"


@dataclass(frozen=True, slots=True)
class RunningRequest:
    """What a container asks for. `stop`: end it if it cannot be tightened.

    `sessions`: exec sessions get the running profile. `limit`: seconds until it must be ready.
    `pod_log`: the folder below /var/log/pods where a kubelet keeps its output, "" outside of pods.
    """

    identifier: str
    name: str
    ready: str
    stop: bool = False
    sessions: bool = True
    limit: float = _DEFAULT_LIMIT
    pod_log: str = ""


@dataclass(frozen=True, slots=True)
class AnnotatedContainer:
    """The annotations of a container, those with its name in its pod before those without."""

    identifier: str
    values: Mapping[str, str]
    container: str = ""
    pod_log: str = ""
    known: frozenset[str] = field(default_factory=frozenset)

    def find(self, key: str, default: str = "") -> str:
        """Return the value of `KEY.CONTAINER`, else of `KEY`."""
        return self.values.get(f"{key}.{self.container}", self.values.get(key, default))


def read_annotated_container(
    bundle: str, config: str, identifier: str
) -> AnnotatedContainer | None:
    """Read a bundle's annotations; None if they do not ask. Raises InputError, OSError."""
    values = read_bundle_annotations(bundle, config)
    keys = find_keys(values)
    if keys and is_sandbox(values, keys):
        return None  # a pod's annotations also reach the container that holds its namespaces
    pod = read_pod(values, keys) if keys else None
    container = pod.container if pod else ""
    uid = find_annotation(values, _UID)
    folder = ""
    if pod and container and re.fullmatch(r"[A-Za-z0-9-]{1,64}", uid):
        folder = f"{pod.namespace}_{pod.pod}_{uid}/{container}"
    found = AnnotatedContainer(identifier, values, container, folder)
    return found if found.find(KEY) or KEY in values else None


def asks_to_stop(found: AnnotatedContainer) -> bool:
    """Return whether it is to end if it cannot be tightened: all but a plain `keep` says so."""
    return found.find(UNREADY, "keep") != "keep"


def read_running_request(found: AnnotatedContainer) -> RunningRequest:
    """Validate the annotations. Raises InputError."""
    _refuse_unknown(found)
    name, ready = found.find(KEY), found.find(READY)
    if not _NAME.fullmatch(name):
        raise _make_error(
            found, KEY, f"{name[:80]!r} is no name of a profile", "a name without path and suffix"
        )
    if not ready:
        raise _make_error(
            found, READY, "is missing", "listen, listen:PORT, healthy, log:REGEX, notify or 30s"
        )
    limit = read_duration(found.find(LIMIT, f"{_DEFAULT_LIMIT:g}s"))
    if limit is None or not 0 < limit <= _MOST:
        raise _make_error(found, LIMIT, "is no time of at most a day", "give 90s or 10m")
    if (read_duration(ready) or 0) >= limit:
        raise _make_error(found, READY, f"is not before {LIMIT}, {limit:g} s", f"give {LIMIT} too")
    return RunningRequest(
        identifier=found.identifier,
        name=name,
        ready=ready,
        stop=_choose(found, UNREADY, "keep", "stop") == "stop",
        sessions=_choose(found, EXEC, "running", "boot") == "running",
        limit=limit,
        pod_log=found.pod_log,
    )


def _choose(found: AnnotatedContainer, key: str, default: str, other: str) -> str:
    value = found.find(key, default)
    if value not in (default, other):
        raise _make_error(found, key, f"{value[:80]!r} is neither {default} nor {other}", "")
    return value


def _refuse_unknown(found: AnnotatedContainer) -> None:
    for key in found.values:
        base = next((known for known in _KEYS if key == known or key.startswith(f"{known}.")), "")
        if key.startswith("seclatch.") and not base and not key.startswith(_RECORD):
            raise _make_error(found, key[:80], "is unknown", f"known are {', '.join(_KEYS)}")


def _make_error(found: AnnotatedContainer, key: str, problem: str, remedy: str) -> InputError:
    place = f"annotation {key}"
    return InputError(f"container {found.identifier[:64]}", place, problem, remedy=remedy)
