"""Read the log of a node's container engine and kubelet: the journal, or a file.

Only units' own messages are read: what a pod's program prints is in no journal of these units.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

from seclatch.errors import SeclatchError

_UNITS = ("containerd", "crio", "kubelet", "k3s", "k3s-agent", "rke2-server", "rke2-agent")
_FILES = (
    "/var/lib/rancher/k3s/agent/containerd/containerd.log",
    "/var/lib/rancher/rke2/agent/containerd/containerd.log",
)
"""Where distributions that start containerd on their own have its log."""

PATH = "/usr/local/bin:/usr/bin:/bin"
_SINCE = "-6hours"
"""A kubelet tries again at least every five minutes."""
_MOST_LINES = "200000"
_MOST_BYTES = 64 << 20
_SECONDS = 20


def read_node_log(file: Path | None) -> Iterator[str]:
    """Yield the lines of this file; without one, those of the journal. Raises SeclatchError."""
    if file is not None:
        try:
            yield from _read_end(file)
        except OSError as error:
            raise SeclatchError(
                f"reading the log {file}: {error.strerror}",
                remedy="--log FILE: the log of containerd, CRI-O or the kubelet",
                status=2,
            ) from error
        return
    for known in map(Path, _FILES):
        if known.is_file():
            yield from _read_end(known)
    yield from _read_journal()


def _read_end(file: Path) -> list[str]:
    """Return the lines of the last 64 MiB. Raises OSError."""
    fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    with os.fdopen(fd, "rb") as opened:
        if stat.S_ISREG(os.fstat(fd).st_mode):
            opened.seek(max(0, os.fstat(fd).st_size - _MOST_BYTES))
        content = opened.read(_MOST_BYTES) or b""
    return content.decode("utf-8", "backslashreplace").split("\n")


def _read_journal() -> list[str]:
    client = shutil.which("journalctl", path=PATH)
    if client is None:
        return []
    units = [word for unit in _UNITS for word in ("--unit", f"{unit}.service")]
    words = ["--quiet", "--no-pager", "--output=cat", f"--since={_SINCE}", f"--lines={_MOST_LINES}"]
    try:
        done = subprocess.run(
            [client, *words, *units],
            capture_output=True,
            timeout=_SECONDS,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    return done.stdout.decode("utf-8", "backslashreplace").split("\n")
