"""Whether a daemon has started since its configuration was changed, which it reads but then."""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterable
from pathlib import Path

from seclatch.system import procfs

_SECONDS = 5
_CREDENTIALS = struct.Struct("3i")  # struct ucred of unix(7): pid, uid, gid


def find_listener(address: str) -> int:
    """Return the pid of the process that listens on a Unix socket. Raises OSError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(_SECONDS)
        client.connect(address)
        content = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(content)[0])


def find_newer_file(pid: int, files: Iterable[Path]) -> Path | None:
    """Return a file that was changed after the process started. Raises OSError."""
    uptime = float(Path("/proc/uptime").read_text().split()[0])
    age = uptime - procfs.read_start(pid) / os.sysconf("SC_CLK_TCK")
    started = time.time() - age
    return next((file for file in files if file.exists() and file.stat().st_mtime > started), None)
