"""Warn when only an engine's client was recorded, and not the container."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import takewhile
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from seclatch.recording.backends.bpf.adopt_daemons import sees_host

if TYPE_CHECKING:
    from seclatch.model.recording.recording import Recording
    from seclatch.recording.backends.backend import RecordingBackend

# Clients of a daemon: the containers that they start do not descend from them.
_DAEMON_CLIENTS = {"docker", "nerdctl", "ctr", "crictl", "podman-remote"}
_REMOTE = {"--remote", "-r", "--url", "--connection", "-c"}
_VERBS = {"run", "start", "restart", "exec", "build", "buildx", "compose", "up", "runp"}
_PODMAN_VERBS = _VERBS | {"container", "create", "image", "kube", "play", "pod", "pull"}


def explain_missing_container(recording: Recording, backend: RecordingBackend, daemons: int) -> str:
    """Return why no container was recorded and what to do; "" unless a client asked for one.

    `daemons`: how many engine processes were followed.
    """
    clients = sorted(set(_find_clients(recording)))
    # A daemon is in the recording if it made something, even if that never became a container.
    served = any(process.found_running for process in recording.processes)
    if recording.sessions or served or not clients:
        return ""
    return (
        f"{' and '.join(clients)} asked an engine, and no container was seen to start: this is a "
        f"recording of the client alone; {_suggest_remedy(backend, daemons)}"
    )


def _find_clients(recording: Recording) -> Iterator[str]:
    for process in recording.processes:
        for image in process.images:
            name = PurePosixPath(image.exe).name
            asks = name in _DAEMON_CLIENTS or (
                name == "podman" and names_remote_service(image.argv)
            )
            if asks and _VERBS.intersection(image.argv):
                yield name


def names_remote_service(argv: Iterable[str]) -> bool:
    """Return whether podman's arguments name a service that makes its containers.

    Such options precede the verb: after it, `-c` has another meaning or belongs to the program.
    """
    options = takewhile(lambda word: word not in _PODMAN_VERBS, argv)
    return not _REMOTE.isdisjoint(word.partition("=")[0] for word in options)


def _suggest_remedy(backend: RecordingBackend, daemons: int) -> str:
    if backend.name == "ptrace":
        return "only --backend ebpf, which takes root, follows what an engine starts"
    if daemons:
        return (
            "what an engine starts by itself, as for a build, cannot be attributed to a client: "
            "record the image's own start, or a running container with --container"
        )
    if not sees_host():
        return "engines cannot be seen from within a pid namespace: run seclatch on the host"
    return "no engine runs on this host: run seclatch where it runs"
