"""Create pods as a kubelet does, over the gRPC interface of containerd's CRI plugin.

Messages are nested tuples of (field number, value), numbered as in runtime.v1's api.proto.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from seclatch.agent.protobuf_wire import Fields, decode_message, encode_message
from tests.engines.engine import IMAGE

_RUNTIME, _IMAGES = "/runtime.v1.RuntimeService/", "/runtime.v1.ImageService/"
POD, CONTAINER = 0, 1  # NamespaceMode
_TARGET = 3
_NODE = 2  # the host's network, so that no CNI plugin is needed
_UNCONFINED, _LOCALHOST = 1, 2  # SecurityProfile.ProfileType
_EXITED = 2  # ContainerState


def decode(content: bytes) -> dict[int, Any]:
    """Decode a message; the last value of a field counts."""
    return {number: values[-1] for number, values in decode_message(content).items()}


@dataclass
class Kubelet:
    """A client of a CRI socket. Pods share the host's network; `group` is their control group."""

    socket: Path
    group: str
    channel: grpc.Channel = field(init=False)

    def __post_init__(self) -> None:
        self.channel = grpc.insecure_channel(f"unix://{self.socket}")

    def call(
        self, method: str, *fields: tuple[int, Any], service: str = _RUNTIME
    ) -> dict[int, Any]:
        """Call a method of a service, the runtime's by default. Raises grpc.RpcError."""
        call = self.channel.unary_unary(
            service + method, request_serializer=encode_message, response_deserializer=decode
        )
        deadline = time.monotonic() + 30
        while True:
            try:
                answer: dict[int, Any] = call(fields, timeout=60, wait_for_ready=True)
            except grpc.RpcError as error:  # containerd answers before its CRI plugin does
                if "not initialized yet" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return answer

    def has_image(self, name: str) -> bool:
        """Return whether the plugin knows the image: some time after containerd does."""
        return 1 in self.call("ImageStatus", (1, ((1, name),)), service=_IMAGES)

    def run_pod(
        self, name: str, handler: str, annotations: dict[str, str], pids: int = CONTAINER
    ) -> Pod:
        """Start a pod without containers; `pids` is the namespace mode of their process IDs."""
        namespaces = ((1, _NODE), (2, pids))
        labels = {"io.kubernetes.pod.name": name, "io.kubernetes.pod.namespace": "default"}
        config = (
            (1, ((1, name), (2, f"uid-{name}"), (3, "default"))),
            (3, f"/var/log/pods/default_{name}_uid-{name}"),  # as a kubelet does
            (6, labels),
            (7, annotations),
            (8, ((1, f"/{self.group}"), (2, ((1, namespaces),)))),
        )
        identifier = self.call("RunPodSandbox", (1, config), (2, handler))[1].decode()
        return Pod(self, identifier, config, namespaces, labels)


@dataclass(frozen=True)
class Pod:
    """A running pod."""

    kubelet: Kubelet
    identifier: str
    config: Fields
    namespaces: Fields
    labels: dict[str, str]

    def start(
        self,
        *command: str,
        profile: Path | None,
        annotations: dict[str, str] | None = None,
        name: str = "first",
        attempt: int = 0,
        target: str = "",
        rights: Fields = (),
    ) -> str:
        """Create and start a container, under a profile (a path inside) if any; return its id.

        `target`: a container whose process ids it shares, as a debug container of `kubectl debug
        --target`; `rights` are further fields of its LinuxContainerSecurityContext.
        """
        local = (1, _LOCALHOST), (2, str(profile))
        namespaces = ((1, _NODE), (2, _TARGET), (4, target)) if target else self.namespaces
        seccomp = local if profile else ((1, _UNCONFINED),)
        security = (*rights, (3, namespaces), (15, seccomp))
        labels = self.labels | {"io.kubernetes.container.name": name}
        config: Fields = (
            (1, ((1, name), (2, attempt))),
            (2, ((1, IMAGE),)),
            *((3, word) for word in command),
            (9, labels),
            (10, annotations or {}),
            (11, f"{name}/0.log"),
            (15, ((2, security),)),
        )
        words = ((1, self.identifier), (2, config), (3, self.config))
        identifier: str = self.kubelet.call("CreateContainer", *words)[1].decode()
        self.kubelet.call("StartContainer", (1, identifier))
        return identifier

    def execute(self, container: str, *command: str) -> tuple[int, str]:
        """Run a command in a container; return its status and output."""
        words = [(2, word) for word in command]
        done = self.kubelet.call("ExecSync", (1, container), *words, (3, 30))
        return done.get(3, 0), done.get(1, b"").decode()

    def wait(self, container: str) -> int:
        """Wait for a container's end; return its status."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            status = decode(self.kubelet.call("ContainerStatus", (1, container))[1])
            if status.get(3) == _EXITED:
                return int(status.get(7, 0))
            time.sleep(0.05)
        raise AssertionError(f"waited 30 s for {container} to end")

    def remove(self) -> None:
        """Stop and remove the pod with its containers."""
        self.kubelet.call("StopPodSandbox", (1, self.identifier))
        self.kubelet.call("RemovePodSandbox", (1, self.identifier))
