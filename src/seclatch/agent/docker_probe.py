"""The probe by Docker's API: the host need not have a client."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode

from seclatch.agent.engine_probe import EngineProbe
from seclatch.agent.probe_image import IMAGE
from seclatch.agent.probe_program import make_probe_profile
from seclatch.engines.docker_daemon import UnixConnection, find_daemons
from seclatch.engines.installation.engine import NAME
from seclatch.errors import SeclatchError
from seclatch.output.printable_text import clip_printable
from seclatch.system import procfs

T = TypeVar("T")

_SECONDS = 60
_MAX_ANSWER = 1 << 20


@dataclass(frozen=True)
class DockerProbe(EngineProbe):
    """A container of the runtime `seclatch`, without a network."""

    def run(self, archive: bytes) -> int:
        """Load the image, create and start the container, wait for it, remove it."""
        self._ask("POST", "/images/load?quiet=1", archive, "application/x-tar")
        wish = {
            "Image": IMAGE,
            "Labels": {"io.seclatch.probe": "true"},
            "HostConfig": {
                "Runtime": NAME,
                "NetworkMode": "none",
                "SecurityOpt": [f"seccomp={json.dumps(make_probe_profile())}"],
                "LogConfig": {"Type": "none"},
            },
        }
        identifier = self._post("/containers/create", wish, "Id", str)
        try:
            self._ask("POST", f"/containers/{identifier}/start", b"{}")
            return self._post(f"/containers/{identifier}/wait", {}, "StatusCode", int)
        finally:
            self._ask("DELETE", f"/containers/{identifier}?force=1")

    def identify_daemon(self) -> str:
        """Return pids and start times of the daemons."""
        found = find_daemons(self.root)
        if not found:
            raise SeclatchError(
                "looking for dockerd: none runs with the default daemon.json",
                remedy="systemctl status docker, on the host",
            )
        return " ".join(f"{one.pid}-{procfs.read_start(one.pid)}" for one in found)

    def remove_image(self) -> None:
        """Remove the image."""
        self._ask("DELETE", f"/images/{IMAGE}?{urlencode({'force': 1})}", accept=(404,))

    def _post(self, path: str, body: dict[str, Any], member: str, kind: type[T]) -> T:
        """Post; return a member of the answer. Raises SeclatchError where it is missing."""
        content = self._ask("POST", path, json.dumps(body).encode())
        try:
            answer = json.loads(content)
        except (ValueError, RecursionError):
            answer = None
        value = answer.get(member) if isinstance(answer, dict) else None
        if not isinstance(value, kind):
            raise SeclatchError(
                f"Docker: POST {path}: the answer has no {member}",
                remedy="docker version, on the host, names the daemon and its API",
            )
        return value

    def _ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        kind: str = "application/json",
        accept: tuple[int, ...] = (),
    ) -> bytes:
        """Make a request of the API. Raises SeclatchError with the daemon's words."""
        what = f"Docker: {method} {path.partition('?')[0]}"
        for daemon in find_daemons(self.root):
            for socket in daemon.sockets():
                connection = UnixConnection(str(self.root.resolve(socket)), timeout=_SECONDS)
                try:
                    headers = {"Host": "docker", "Content-Type": kind}
                    connection.request(method, path, body, headers)
                    answer = connection.getresponse()
                    content = answer.read(_MAX_ANSWER)
                except (OSError, http.client.HTTPException) as error:
                    raise SeclatchError(f"{what}: {error}") from error
                finally:
                    connection.close()
                if answer.status < 300 or answer.status in (304, *accept):
                    return content
                said = clip_printable(content.decode(errors="replace").strip(), 500)
                raise SeclatchError(f"{what}: {answer.status}: {said}")
        raise SeclatchError(f"{what}: no dockerd runs with the default daemon.json")
