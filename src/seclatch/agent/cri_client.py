"""Start one container by the Container Runtime Interface (CRI), as a kubelet does."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from seclatch.agent.protobuf_wire import Fields, decode_message, encode_message
from seclatch.errors import SeclatchError
from seclatch.output.printable_text import clip_printable

if TYPE_CHECKING:
    import grpc

_RUNTIME, _IMAGES = "/runtime.v1.RuntimeService/", "/runtime.v1.ImageService/"
_NODE, _CONTAINER = 2, 1  # NamespaceMode; the host's network, so that no CNI plugin is called
_LOCALHOST = 2  # SecurityProfile.ProfileType
_EXITED = 2  # ContainerState
_NAMESPACES: Fields = ((1, _NODE), (2, _CONTAINER))
_LABEL = "seclatch.io/probe"
_POLL = 0.05


@dataclass(frozen=True, slots=True)
class ProbePod:
    """A pod to be: its handler, control group, and the container's image and profile."""

    handler: str
    cgroup: str
    image: str
    profile: str

    @property
    def sandbox(self) -> Fields:
        """Return the message PodSandboxConfig."""
        unique = f"probe-{time.time_ns():x}"
        linux = ((1, self.cgroup), (2, ((1, _NAMESPACES),)))
        metadata = ((1, unique), (2, unique), (3, "seclatch-system"))
        return ((1, metadata), (6, {_LABEL: "true"}), (8, linux))

    @property
    def container(self) -> Fields:
        """Return the message ContainerConfig."""
        security = ((3, _NAMESPACES), (15, ((1, _LOCALHOST), (2, self.profile))))
        linux = (15, ((2, security),))
        return ((1, ((1, "probe"),)), (2, ((1, self.image),)), (9, {_LABEL: "true"}), linux)


class CriClient:
    """A connection to a CRI socket; a context manager."""

    def __init__(self, socket: Path, seconds: float = 30) -> None:
        try:
            import grpc
        except ImportError as error:
            raise SeclatchError(
                "starting a probe container: grpcio is not installed",
                remedy="install seclatch with it: pipx install 'seclatch[node]'",
                status=2,
            ) from error
        self._seconds = seconds
        self._channel: grpc.Channel = grpc.insecure_channel(f"unix://{socket}")
        self._failed = grpc.RpcError

    def __enter__(self) -> CriClient:
        """Return the client."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection."""
        self._channel.close()

    def call(self, method: str, *fields: tuple[int, Any], service: str = _RUNTIME) -> Any:
        """Call a method; return the answer by field. Raises SeclatchError."""
        call = self._channel.unary_unary(
            service + method,
            request_serializer=encode_message,
            response_deserializer=decode_message,
        )
        try:
            return call(fields, timeout=self._seconds, wait_for_ready=True)
        except self._failed as error:
            details = getattr(error, "details", lambda: "")() or str(error)
            raise SeclatchError(f"CRI: {method}: {clip_printable(details, 500)}") from error

    def has_image(self, name: str) -> bool:
        """Return whether CRI knows an image: some time after containerd does."""
        return 1 in self.call("ImageStatus", (1, ((1, name),)), service=_IMAGES)

    def run_probe(self, pod: ProbePod) -> int:
        """Run the container to its end; return its exit status. Its pod is removed in any case."""
        sandbox = pod.sandbox
        identifier = self._create("RunPodSandbox", (1, sandbox), (2, pod.handler))
        try:
            words = ((1, identifier), (2, pod.container), (3, sandbox))
            container = self._create("CreateContainer", *words)
            self.call("StartContainer", (1, container))
            return self._await_end(container)
        finally:
            self._remove(identifier)

    def _create(self, method: str, *fields: tuple[int, Any]) -> str:
        """Call a method that creates something; return its id."""
        return _read_bytes(self.call(method, *fields), method).decode(errors="replace")

    def _await_end(self, container: str) -> int:
        deadline = time.monotonic() + self._seconds
        while time.monotonic() < deadline:
            answer = self.call("ContainerStatus", (1, container))
            status = decode_message(_read_bytes(answer, "ContainerStatus"))
            if status.get(3) == [_EXITED]:
                return _read_number(status.get(7, [0])[0], "ContainerStatus")
            time.sleep(_POLL)
        raise SeclatchError(f"CRI: the probe container runs for more than {self._seconds:g} s")

    def remove_probes(self) -> None:
        """Remove pods that probes have left that were killed."""
        found = self.call("ListPodSandbox", (1, ((3, {_LABEL: "true"}),)))
        for item in found.get(1, []):
            if not isinstance(item, bytes):
                raise _unexpected("ListPodSandbox")
            identifier = _read_bytes(decode_message(item), "ListPodSandbox")
            self._remove(identifier.decode(errors="replace"))

    def _remove(self, identifier: str) -> None:
        self.call("StopPodSandbox", (1, identifier))
        self.call("RemovePodSandbox", (1, identifier))


def _read_bytes(answer: dict[int, list[Any]], method: str) -> bytes:
    """Return field 1, an id or a message. Raises SeclatchError where it is missing."""
    value = answer.get(1, [None])[0]
    if not isinstance(value, bytes):
        raise _unexpected(method)
    return value


def _read_number(value: object, method: str) -> int:
    if not isinstance(value, int):
        raise _unexpected(method)
    return value


def _unexpected(method: str) -> SeclatchError:
    return SeclatchError(
        f"CRI: {method}: the answer has not the fields of runtime.v1",
        remedy="crictl version, on the host, names the runtime and its API",
    )
