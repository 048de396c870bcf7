"""Provide a log at /dev/log of a private host, like that of journald or a syslog daemon."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.engines.host import PrivateHost, wait_until

# An overlay, so that the machine's own /dev gets no log; mounts below it are bound again.
MOUNT = """
mkdir -p /run/dev/old /run/dev/upper /run/dev/work && mount --rbind /dev /run/dev/old &&
mount --make-rprivate /run/dev/old &&
mount -t overlay -o lowerdir=/run/dev/old,upperdir=/run/dev/upper,workdir=/run/dev/work overlay /dev
for each in pts shm mqueue; do
    [ ! -d /run/dev/old/$each ] || mount --rbind /run/dev/old/$each /dev/$each
done
"""
UNMOUNT = "umount -l /dev /run/dev/old; rm -rf /run/dev"
LISTEN = """
import os, socket
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
if os.path.lexists("/dev/log"):
    os.unlink("/dev/log")
log.bind("/dev/log")
os.chmod("/dev/log", 0o666)
print("ready", flush=True)
while True:
    print(log.recv(4096).decode(errors="replace"), flush=True)
"""


@contextmanager
def system_log(host: PrivateHost, output: Path) -> Iterator[Callable[[], list[str]]]:
    """Provide a log for the block; yield a function that returns seclatch's lines so far."""
    host.run("sh", "-c", MOUNT, check=True)
    listener = host.spawn(sys.executable, "-c", LISTEN, log=output)
    try:
        wait_until(lambda: "ready" in output.read_text(), "the log")
        yield lambda: [line for line in output.read_text().splitlines() if "seclatch" in line]
    finally:
        listener.kill()
        listener.wait()
        host.run("sh", "-c", UNMOUNT)
