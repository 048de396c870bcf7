"""Query containerd's containers by its client `ctr`: its API is gRPC."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping

from seclatch.model.process import LiveContainer
from seclatch.process.containers.known_container import KnownContainer
from seclatch.process.containers.membership import FoundContainer
from seclatch.system.procfs import ProcEntry

SECONDS = 3.0
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def query_containerd(
    wanted: Mapping[str, FoundContainer], _entries: Mapping[int, ProcEntry], notes: list[str]
) -> dict[str, KnownContainer]:
    """Query each daemon for the images of each namespace that shims name."""
    client = None if os.geteuid() else shutil.which("ctr", path=PATH)
    places = _list_namespaces(wanted.values()) if client else []
    known_by_id: dict[str, KnownContainer] = {}
    silent: set[str] = set()
    for address, namespace in places:
        if client is None or address in silent:
            continue
        try:
            images = _list_images(client, address, namespace)
        except (OSError, subprocess.SubprocessError) as error:
            silent.add(address)
            notes.append(f"containerd ({address}) did not return images: {_explain_error(error)}")
            continue
        for identity, image in images.items():
            if identity in wanted:
                known_by_id[identity] = KnownContainer(
                    LiveContainer(identity, identity, image, "containerd")
                )
    return known_by_id


def _list_namespaces(wanted: Iterable[FoundContainer]) -> list[tuple[str, str]]:
    """Return socket and namespace, each once: several shims see one socket by different paths."""
    places: dict[tuple[int, int, str], tuple[str, str]] = {}
    for container in wanted:
        asked = container.engine == "containerd" and container.trusted
        if not asked or not container.namespace or not container.address:
            continue
        with contextlib.suppress(OSError):
            path = find_socket(container)
            status = os.stat(path)  # noqa: PTH116 (through a magic link)
            places[status.st_dev, status.st_ino, container.namespace] = (path, container.namespace)
    return list(places.values())


def find_socket(found: FoundContainer) -> str:
    """Return the path of the daemon's socket through the shim's root directory."""
    return f"/proc/{found.monitor}/root{found.address.removeprefix('unix://')}"


def run_client(*words: str, seconds: float = SECONDS) -> str:
    """Run `ctr`; return its output. Raises OSError and subprocess.SubprocessError."""
    done = subprocess.run(
        words,
        capture_output=True,
        text=True,
        errors="backslashreplace",
        timeout=seconds,
        check=True,
        stdin=subprocess.DEVNULL,
    )
    return done.stdout


def _list_images(client: str, address: str, namespace: str) -> dict[str, str]:
    """Return images by container id, from the first two columns of the client's table."""
    words = [client, "--address", address, "--namespace", namespace, "containers", "ls"]
    rows = (line.split() for line in run_client(*words).splitlines()[1:])
    return {row[0]: row[1].replace("-", "", row[1] == "-") for row in rows if len(row) > 1}


def _explain_error(error: OSError | subprocess.SubprocessError) -> str:
    if isinstance(error, subprocess.TimeoutExpired):
        return f"no answer within {SECONDS:.0f} s"
    if isinstance(error, subprocess.CalledProcessError):
        return str(error.stderr).strip() or f"ctr: status {error.returncode}"
    return str(error)
