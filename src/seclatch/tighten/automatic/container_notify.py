"""READY=1 from an annotated container, on a socket that is mounted into it (sd_notify(3)).

The bundle's config.json gets the mount and NOTIFY_SOCKET before the runtime reads it. The socket
lies below a directory that only root may enter, so what arrives comes from the container or root.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
from pathlib import Path
from typing import Any

from seclatch.errors import InputError
from seclatch.output.result_file import replace_file
from seclatch.recording.annotated.annotation import MAX_SIZE
from seclatch.recording.ready.ready_condition import ReadyCondition, ReadyView

FOLDER = Path("/run/seclatch/notify")
_INSIDE = "/dev/seclatch-notify"  # engines mount a tmpfs on /dev, also where the root is read-only
_VARIABLE = "NOTIFY_SOCKET"
_MAX_MESSAGE, _MOST = 1 << 12, 256


class ContainerNotify(ReadyCondition):
    """A process of the container has sent READY=1."""

    def __init__(self, text: str, identifier: str, bundle: str, config: str) -> None:
        super().__init__(text)
        self._folder = FOLDER / identifier
        self._config = Path(bundle, config)
        self._socket: socket.socket | None = None

    def begin(self, *, client: bool) -> None:
        """Open the socket, and give it to the container. Raises InputError, OSError."""
        FOLDER.mkdir(mode=0o700, parents=True, exist_ok=True)
        FOLDER.chmod(0o700)
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir()
        self._folder.chmod(0o711)
        self._socket = socket.socket(
            socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        )
        path = self._folder / "socket"
        self._socket.bind(str(path))
        path.chmod(0o666)
        _add_socket(self._config, self._folder)

    def is_met(self, view: ReadyView) -> bool:
        """Read what has been sent."""
        with contextlib.suppress(BlockingIOError):
            for _ in range(_MOST if self._socket else 0):
                if self._socket and b"READY=1" in self._socket.recv(_MAX_MESSAGE).split(b"\n"):
                    return True
        return False

    def close(self) -> None:
        """Remove the socket; what the program sends later is refused, which sd_notify ignores."""
        if self._socket:
            self._socket.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def _add_socket(path: Path, folder: Path) -> None:
    with path.open("rb") as file:
        content = file.read(MAX_SIZE + 1)
    replace_file(path, json.dumps(add_notify_socket(json.loads(content), folder)).encode())


def add_notify_socket(config: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the configuration with the mount and the variable. Raises InputError."""
    try:
        process = {**config["process"]}
        variables = [str(word) for word in process.get("env") or ()]
        mounts = [*(config.get("mounts") or ())]
    except (KeyError, TypeError) as error:
        raise InputError("config.json", "process", "is missing, or no object") from error
    if any(word.startswith(f"{_VARIABLE}=") for word in variables):
        raise InputError(
            "config.json",
            "process.env",
            f"{_VARIABLE} is set already",
            remedy="start the container without it (podman run --sdnotify=ignore)",
        )
    options = ["bind", "ro", "nosuid", "nodev", "noexec"]
    mount = {"destination": _INSIDE, "type": "bind", "source": os.fspath(folder)}
    process["env"] = [*variables, f"{_VARIABLE}={_INSIDE}/socket"]
    return {**config, "process": process, "mounts": [*mounts, {**mount, "options": options}]}
