"""A client whose container was not seen: what is recorded then is the client alone, and looks like
a recording of the container."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import takewhile
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from seclatch.recording.backends.bpf.adopt_daemons import sees_host

if TYPE_CHECKING:
    from seclatch.model.recording import Recording
    from seclatch.recording.backends.backend import RecordingBackend

# Clients of a daemon: what they ask for does not descend from them.
_CLIENTS = {"docker", "nerdctl", "ctr", "crictl", "podman-remote"}
_REMOTE = {"--remote", "-r", "--url", "--connection", "-c"}
_VERBS = {"run", "start", "restart", "exec", "build", "buildx", "compose", "up", "runp"}
_PODMAN_VERBS = _VERBS | {"container", "create", "image", "kube", "play", "pod", "pull"}


def explain_missing_container(recording: Recording, backend: RecordingBackend, daemons: int) -> str:
    """Say why, and what to do, if clients asked for containers and nothing was seen of one; else
    nothing. `daemons`: how many engines were followed."""
    clients = sorted(set(_find_clients(recording)))
    # An engine is kept for what it has made, also where that fails before it is a container.
    served = any(process.found_running for process in recording.processes)
    if recording.sessions or served or not clients:
        return ""
    return (
        f"{' and '.join(clients)} asked an engine, and no container was seen to start: this is a "
        f"recording of the client alone; {_advise(backend, daemons)}"
    )


def _find_clients(recording: Recording) -> Iterator[str]:
    for process in recording.processes:
        for image in process.images:
            name = PurePosixPath(image.exe).name
            asks = name in _CLIENTS or (name == "podman" and names_remote_service(image.argv))
            if asks and _VERBS.intersection(image.argv):
                yield name


def names_remote_service(argv: Iterable[str]) -> bool:
    """Whether podman's words name a service that makes its containers for it. They are options
    before its verb: behind it `-c` is something else, or a word of the container's program."""
    options = takewhile(lambda word: word not in _PODMAN_VERBS, argv)
    return not _REMOTE.isdisjoint(word.partition("=")[0] for word in options)


def _advise(backend: RecordingBackend, daemons: int) -> str:
    if backend.name == "ptrace":
        return "only --backend ebpf, which takes root, follows what an engine starts"
    if daemons:
        return (
            "of what an engine starts by itself, as for a build, nobody tells whose it is: record "
            "the image's own start, or a running container with --container"
        )
    if not sees_host():
        return "engines cannot be seen from within a pid namespace: run seclatch on the host"
    return "no engine runs on this host: run seclatch where it runs"
