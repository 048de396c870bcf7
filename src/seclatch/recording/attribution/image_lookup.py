"""Which image a container is of: its engine is asked while the container is there.

The question is put with the very words that were recorded, up to the verb (`docker -H … run` asks
`docker -H … container inspect`): what the user runs anyway, with the same options, as the same
user. A container that has gone before it could be asked for has no image in the recording.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from seclatch.recording.attribution.attribution import find_related
from seclatch.recording.trace.trace import Trace

if TYPE_CHECKING:
    import subprocess

    from seclatch.model.origin import ContainerImage

_VERBS = {"run", "start", "restart", "exec", "create", "container", "task", "tasks", "t"}
_MAX_QUESTIONS = 32
_MAX_ANSWER = 1 << 16
_SECONDS = 5.0
_ID_LENGTH = 64
_QUESTIONS = {
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


@dataclass(frozen=True, slots=True)
class EngineClient:
    """How an engine is talked to: its client's words without verb; `kind` is the client's name."""

    kind: str
    words: tuple[str, ...]


def find_named_containers(command: tuple[str, ...]) -> tuple[str, ...]:
    """The ids of the containers that a command of Docker's client has started by name or id.

    The client passes on what it was given, and the id first shows in what the daemon starts.
    """
    client = find_client(command)
    if client is None or client.kind != "docker":
        return ()
    words = [word for word in command[len(client.words) :] if word != "container"]
    if words[:1] not in (["start"], ["restart"]):
        return ()
    names = [word for word in words[1:] if not word.startswith("-")][:_MAX_QUESTIONS]
    question = ("container", "inspect", "--format", "{{.Id}}")
    asked = []
    for name in names:
        with contextlib.suppress(OSError):
            asked.append(_start([*client.words, *question, name]))
    answers = (_answer(query).strip() for query in asked)
    return tuple(answer for answer in answers if len(answer) == _ID_LENGTH and answer.isalnum())


def find_client(command: tuple[str, ...]) -> EngineClient | None:
    """Find a client in a command, also behind `sudo` and the like."""
    for at, word in enumerate(command):
        kind = PurePosixPath(word).name
        if kind in _QUESTIONS:
            for end in range(at + 1, len(command)):
                if command[end] in _VERBS:
                    return EngineClient(kind, command[:end])
    return None


class ImageLookup:
    """Asks for containers as they show up; `finish` gives what was answered."""

    def __init__(self, client: EngineClient | None) -> None:
        self._client = client
        self._looked = 0
        self._asked: dict[str, subprocess.Popen[bytes]] = {}
        self._segments: dict[int, str] = {}

    def update(self, trace: Trace) -> None:
        """Ask for containers that a runtime has begun to start since the last time."""
        if self._client is None or self._looked == len(trace.starts):
            return
        kept = find_related(trace)
        for number in trace.starts[self._looked :]:
            segment = trace.segments[number]
            name = segment.argv[-1]
            if segment.process in kept and not segment.argv_cut and name[:1] not in ("", "-"):
                self._segments[number] = name
                self._ask(name)
        self._looked = len(trace.starts)

    def _ask(self, name: str) -> None:
        if self._client is None or name in self._asked or len(self._asked) == _MAX_QUESTIONS:
            return
        words = [*self._client.words, *_QUESTIONS[self._client.kind], name]
        with contextlib.suppress(OSError):
            self._asked[name] = _start(words)

    def finish(self) -> dict[int, ContainerImage]:
        """Answer images by the runtime's segment."""
        answers = {name: self._image(process) for name, process in self._asked.items()}
        found = {number: answers.get(name) for number, name in self._segments.items()}
        return {number: image for number, image in found.items() if image is not None}

    def _image(self, process: subprocess.Popen[bytes]) -> ContainerImage | None:
        from seclatch.model.origin import ContainerImage

        text = _answer(process)
        if self._client is None or not text:
            return None
        values = [*_values(text)]
        with contextlib.suppress(LookupError, TypeError):
            if self._client.kind == "ctr":
                name = str(values[0]["Image"])
                return ContainerImage(name=name, digest=_listed(self._more(f"name=={name}"), name))
            identity = _sha256(str(values[0]))
            digest = values[2] if len(values) > 2 else self._repository_digest(identity)
            return ContainerImage(name=str(values[1]), id=identity, digest=str(digest or ""))
        return None

    def _repository_digest(self, image: str) -> str:
        """Docker's own record of the manifest; an image that was never pulled has none."""
        digests: list[str] | None = next(_values(self._more(image)), None)
        found = [str(digest).partition("@")[2] for digest in digests or ()]
        return found[0] if found else ""

    def _more(self, image: str) -> str:
        if self._client is None:
            return ""
        words = [*self._client.words, *_DIGESTS[self._client.kind], image]
        with contextlib.suppress(OSError):
            return _answer(_start(words))
        return ""


def _start(words: list[str]) -> subprocess.Popen[bytes]:
    import subprocess

    return subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )


def _answer(process: subprocess.Popen[bytes]) -> str:
    """What a client printed, if it ended well and in time."""
    import subprocess

    try:
        output, _ = process.communicate(timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return ""
    whole = not process.returncode and len(output) <= _MAX_ANSWER
    return output.decode("utf-8", "backslashreplace") if whole else ""


def _values(text: str) -> Iterator[Any]:
    """Give the JSON values that stand one after the other."""
    import json

    decoder = json.JSONDecoder()
    at = 0
    with contextlib.suppress(ValueError):
        while text[at:].strip():
            at += len(text[at:]) - len(text[at:].lstrip())
            value, at = decoder.raw_decode(text, at)
            yield value


def _listed(table: str, name: str) -> str:
    """The digest in `ctr image list`."""
    for line in table.splitlines():
        words = line.split()
        if words[:1] == [name]:
            return next((word for word in words if word.startswith("sha256:")), "")
    return ""


def _sha256(digest: str) -> str:
    return digest if digest.startswith("sha256:") or not digest else f"sha256:{digest}"
