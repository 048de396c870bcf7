"""Record annotated containers of a host from a container: what the host's own service would do.

The agent writes the recorder's limits to the host (`seclatch node --record-annotations`). While
they are there, and the host has no recorder of its own, this process is the recorder.
"""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

from seclatch.engines.installation.host_root import HostRoot
from seclatch.engines.services.annotation_recorder import LIMITS, is_installed, read_limits
from seclatch.engines.services.recorder_service import NAME
from seclatch.model.recorder_limits import RecorderLimits
from seclatch.output.printable_text import make_printable
from seclatch.recording.annotated.follow_front import FindImage, FindPod
from seclatch.recording.annotated.node_recorder import serve_containers
from seclatch.recording.annotated.spool import RecordingSpool
from seclatch.system.recorder_client import DEFAULT_SOCKET

HOST = HostRoot(Path("/proc/1/root"))
"""The host's root in a container with the host's process ids; on the host its own."""
_EVERY = 1.0


def find_obstacle(root: HostRoot) -> str:
    """Return why this process is not to record this host's containers; "" if it is."""
    if is_installed(root):
        return f"this host has a recorder of its own, {NAME}"
    if read_limits(root) is None:
        return (
            f"process 1 has no {LIMITS}, which `seclatch node --install ENGINE "
            "--record-annotations` writes; a container needs the host's process ids (hostPID)"
        )
    return ""


def serve_host(find_image: FindImage, find_pod: FindPod, root: HostRoot = HOST) -> None:
    """Wait until this process is to record, then do so until it is not. Raises SeclatchError.

    Recordings and socket are at the host's own paths, which a container has mounted.
    """
    limits = _await_limits(root)
    serve_containers(
        RecordingSpool(limits),
        Path(DEFAULT_SOCKET),
        find_image,
        find_pod,
        lambda: not find_obstacle(root) and read_limits(root) == limits,
    )


def _await_limits(root: HostRoot) -> RecorderLimits:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # process 1 of a container ignores it
    said = ""
    while True:
        obstacle, limits = find_obstacle(root), read_limits(root)
        if limits and not obstacle:
            return limits
        if obstacle != said:
            print(f"seclatch: waiting: {make_printable(obstacle)}", file=sys.stderr, flush=True)
            said = obstacle
        time.sleep(_EVERY)
