"""A command that starts a pod with one container and waits for its end, as `crictl run` does.

python -m tests.engines.start_pod SOCKET GROUP HANDLER POD
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import threading
from pathlib import Path

from tests.engines.cri import Kubelet


def main() -> int:
    """Start the pod, and remove it; return the container's exit status."""
    daemon, group, handler, name = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "relay")
        threading.Thread(target=relay, args=(listen(path), daemon), daemon=True).start()
        pod = Kubelet(path, group).run_pod(name, handler, {})
        # containerd deletes the bundle, which has the names, once the program has ended
        script = "/bin/sleep 1.5; exit 42"
        status = pod.wait(pod.start("/bin/sh", "-c", script, profile=None, name="web"))
        pod.remove()
    return status


def listen(path: Path) -> socket.socket:
    """Listen on a socket of this path."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    return listener


def relay(listener: socket.socket, daemon: str) -> None:
    """Pass requests on by write(2), as Go's clients do: Python's gRPC library uses sendmsg(2)."""
    client, _ = listener.accept()
    engine = socket.socket(socket.AF_UNIX)
    engine.connect(daemon)
    threading.Thread(target=copy, args=(engine, client), daemon=True).start()
    copy(client, engine)


def copy(source: socket.socket, target: socket.socket) -> None:
    """Copy until the end."""
    while content := source.recv(1 << 16):
        while content:
            content = content[os.write(target.fileno(), content) :]


if __name__ == "__main__":
    sys.exit(main())
