"""Look up the image of a container: ask its engine while the container exists.

The query repeats the recorded arguments up to the verb (`docker -H … run` becomes `docker -H …
container inspect`): the program that the user runs anyway, with the same options, as the same user.
A container that has been removed before the query has no image in the recording (decision 0076).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from seclatch.recording.attribution.attribution import find_related
from seclatch.recording.trace.trace import Trace

if TYPE_CHECKING:
    import subprocess

    from seclatch.model.recording.origin import ContainerImage

_VERBS = {"run", "start", "restart", "exec", "create", "container", "task", "tasks", "t"}
_MAX_QUERIES = 32
_MAX_ANSWER = 1 << 16
_QUERY_SECONDS = 5.0
_ID_LENGTH = 64
_QUERIES = {
    "docker": ("container", "inspect", "--format", "{{json .Image}} {{json .Config.Image}}"),
    "podman": (
        "container",
        "inspect",
        "--format",
        "{{json .Image}} {{json .ImageName}} {{json .ImageDigest}}",
    ),
    "ctr": ("container", "info"),
}
_DIGESTS = {
    "docker": ("image", "inspect", "--format", "{{json .RepoDigests}}"),
    "ctr": ("image", "list"),
}


class EngineClient(NamedTuple):
    """An engine's client: its name in `kind`, and its arguments up to the verb in `words`."""

    kind: str
    words: tuple[str, ...]


def find_named_containers(command: tuple[str, ...]) -> tuple[str, ...]:
    """Return the ids of the containers that a `docker start NAME` or `docker restart NAME` starts.

    The client sends the name, and the id is first seen in what the daemon starts.
    """
    client = find_client(command)
    if client is None or client.kind != "docker":
        return ()
    words = [word for word in command[len(client.words) :] if word != "container"]
    if words[:1] not in (["start"], ["restart"]):
        return ()
    names = [word for word in words[1:] if not word.startswith("-")][:_MAX_QUERIES]
    question = ("container", "inspect", "--format", "{{.Id}}")
    asked = []
    for name in names:
        with contextlib.suppress(OSError):
            asked.append(_start_client([*client.words, *question, name]))
    answers = (_read_answer(query).strip() for query in asked)
    return tuple(answer for answer in answers if len(answer) == _ID_LENGTH and answer.isalnum())


def find_client(command: tuple[str, ...]) -> EngineClient | None:
    """Find a client in a command, also behind `sudo` and the like."""
    for at, word in enumerate(command):
        kind = word.rstrip("/").rpartition("/")[2]
        if kind in _QUERIES:
            for end in range(at + 1, len(command)):
                if command[end] in _VERBS:
                    return EngineClient(kind, command[:end])
    return None


class ImageLookup:
    """Queries images of containers as they are observed; `finish` returns the answers."""

    def __init__(self, client: EngineClient | None) -> None:
        self._client = client
        self._looked = 0
        self._asked: dict[str, subprocess.Popen[bytes]] = {}
        self._segments: dict[int, str] = {}

    @property
    def client(self) -> EngineClient | None:
        """Return the engine's client that the command calls."""
        return self._client

    def update(self, trace: Trace) -> None:
        """Query the containers that a runtime has begun to start since the last call."""
        if self._client is None or self._looked == len(trace.starts):
            return
        kept = find_related(trace)
        for number in trace.starts[self._looked :]:
            segment = trace.segments[number]
            name = segment.argv[-1]
            if segment.process in kept and not segment.argv_cut and name[:1] not in ("", "-"):
                self._segments[number] = name
                self._query(name)
        self._looked = len(trace.starts)

    def _query(self, name: str) -> None:
        if self._client is None or name in self._asked or len(self._asked) == _MAX_QUERIES:
            return
        words = [*self._client.words, *_QUERIES[self._client.kind], name]
        with contextlib.suppress(OSError):
            self._asked[name] = _start_client(words)

    def finish(self) -> dict[int, ContainerImage]:
        """Return images by the runtime's segment."""
        answers = {name: self._parse_image(process) for name, process in self._asked.items()}
        found = {number: answers.get(name) for number, name in self._segments.items()}
        return {number: image for number, image in found.items() if image is not None}

    def _parse_image(self, process: subprocess.Popen[bytes]) -> ContainerImage | None:
        from seclatch.model.recording.origin import ContainerImage

        text = _read_answer(process)
        if self._client is None or not text:
            return None
        values = [*_parse_values(text)]
        with contextlib.suppress(LookupError, TypeError):
            if self._client.kind == "ctr":
                name = str(values[0]["Image"])
                return ContainerImage(
                    name=name,
                    digest=_find_listed_digest(self._query_digests(f"name=={name}"), name),
                )
            identity = _add_prefix(str(values[0]))
            digest = values[2] if len(values) > 2 else self._repository_digest(identity)
            return ContainerImage(name=str(values[1]), id=identity, digest=str(digest or ""))
        return None

    def _repository_digest(self, image: str) -> str:
        """Return Docker's manifest digest of an image; "" for one that was never pulled."""
        digests: list[str] | None = next(_parse_values(self._query_digests(image)), None)
        found = [str(digest).partition("@")[2] for digest in digests or ()]
        return found[0] if found else ""

    def _query_digests(self, image: str) -> str:
        if self._client is None:
            return ""
        words = [*self._client.words, *_DIGESTS[self._client.kind], image]
        with contextlib.suppress(OSError):
            return _read_answer(_start_client(words))
        return ""


def _start_client(words: list[str]) -> subprocess.Popen[bytes]:
    import subprocess

    return subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )


def _read_answer(process: subprocess.Popen[bytes]) -> str:
    """Return what a client printed, if it succeeded in time."""
    import subprocess

    try:
        output, _ = process.communicate(timeout=_QUERY_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return ""
    whole = not process.returncode and len(output) <= _MAX_ANSWER
    return output.decode("utf-8", "backslashreplace") if whole else ""


def _parse_values(text: str) -> Iterator[Any]:
    """Yield JSON values that follow each other."""
    import json

    decoder = json.JSONDecoder()
    at = 0
    with contextlib.suppress(ValueError):
        while text[at:].strip():
            at += len(text[at:]) - len(text[at:].lstrip())
            value, at = decoder.raw_decode(text, at)
            yield value


def _find_listed_digest(table: str, name: str) -> str:
    """Return the digest of an image in the output of `ctr image list`."""
    for line in table.splitlines():
        words = line.split()
        if words[:1] == [name]:
            return next((word for word in words if word.startswith("sha256:")), "")
    return ""


def _add_prefix(digest: str) -> str:
    return digest if digest.startswith("sha256:") or not digest else f"sha256:{digest}"
