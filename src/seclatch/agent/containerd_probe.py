"""The probe by containerd's CRI plugin: through the handler that a RuntimeClass names."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from seclatch.agent.cri_client import CriClient, ProbePod
from seclatch.agent.engine_probe import PROFILE, EngineProbe
from seclatch.agent.probe_image import IMAGE
from seclatch.agent.run_on_host import run_on_host
from seclatch.engines.containerd_dump import read_handlers
from seclatch.engines.installation.engine import NAME
from seclatch.engines.installation.toml_edit import find_value
from seclatch.errors import SeclatchError
from seclatch.host.daemon_age import find_listener
from seclatch.system import procfs

CONFIG = "/etc/containerd/config.toml"
SOCKET = "/run/containerd/containerd.sock"
_NAMESPACE = "k8s.io"
_ATTEMPTS = 3
_SECONDS = 30


@dataclass(frozen=True)
class ContainerdProbe(EngineProbe):
    """A pod of one container, in the host's network."""

    def run(self, archive: bytes) -> int:
        """Run it; again if a kubelet removed the pod, which it had not started."""
        with self.connect() as client:
            client.remove_probes()
            self._import(client, archive)
            pod = ProbePod(NAME, self._choose_cgroup(), IMAGE, PROFILE)
            for attempt in range(1, _ATTEMPTS + 1):
                try:
                    status = client.run_probe(pod)
                except SeclatchError as error:
                    if attempt == _ATTEMPTS or "not found" not in str(error).lower():
                        raise
                    continue
                if status <= 128 or attempt == _ATTEMPTS:
                    return status
        raise AssertionError("the last attempt returns or raises")

    def connect(self) -> CriClient:
        """Return a client of the CRI socket."""
        return CriClient(self.socket, _SECONDS)

    @property
    def socket(self) -> Path:
        """Return the socket's path as it is seen here."""
        return self.root.resolve(SOCKET)

    def find_daemon(self) -> int:
        """Return the pid of containerd. Raises SeclatchError if it does not answer."""
        try:
            return find_listener(str(self.socket))
        except OSError as error:
            raise SeclatchError(
                f"reaching containerd at {self.socket}: {error.strerror or error}",
                remedy="systemctl status containerd, on the host",
            ) from error

    def identify_daemon(self) -> str:
        """Return pid and start time of containerd."""
        pid = self.find_daemon()
        try:
            return f"{pid} {procfs.read_start(pid)}"
        except OSError as error:
            raise SeclatchError(f"looking at containerd (pid {pid}): it ended") from error

    def _import(self, client: CriClient, archive: bytes) -> None:
        if client.has_image(IMAGE):
            return
        words = ("--address", SOCKET, "--namespace", _NAMESPACE, "images", "import", "-")
        run_on_host(self.root, "ctr", *words, data=archive)
        deadline = time.monotonic() + _SECONDS
        while not client.has_image(IMAGE):
            if time.monotonic() > deadline:
                raise SeclatchError(f"importing {IMAGE}: CRI does not know it after {_SECONDS} s")
            time.sleep(0.05)

    def _choose_cgroup(self) -> str:
        """Return the pod's parent group, a slice where the handler has systemd's driver."""
        program = self.root.find_program("containerd")
        rows = read_handlers(self.root, program, CONFIG).rows if program else {}
        systemd = find_value(rows.get(NAME, {}), ("options", "SystemdCgroup"))
        return "system.slice" if systemd else "/seclatch"

    def remove_image(self) -> None:
        """Remove the image, and pods that are left."""
        with self.connect() as client:
            client.remove_probes()
        words = ("--address", SOCKET, "--namespace", _NAMESPACE, "images", "rm", "--sync", IMAGE)
        run_on_host(self.root, "ctr", *words)
