"""The root directory of the running host, as it is mounted in this container."""

from __future__ import annotations

from pathlib import Path

from seclatch.engines.installation.host_root import HostRoot
from seclatch.errors import SeclatchError

_FIRST = 1


def open_host_root(prefix: Path) -> HostRoot:
    """Return the host's root. Raises SeclatchError unless process 1 has the same one.

    Programs are run in the namespaces of process 1, files are written below `prefix`: both must be
    one system's.
    """
    resolved = prefix.resolve()
    if resolved == Path("/"):
        return HostRoot()
    remedy = "the container needs the host's pid namespace (hostPID), CAP_SYS_PTRACE, and / mounted"
    try:
        theirs, ours = Path(f"/proc/{_FIRST}/root").stat(), resolved.stat()
    except OSError as error:
        raise SeclatchError(
            f"comparing {resolved} with the root of process {_FIRST}: {error.strerror}",
            remedy=remedy,
        ) from error
    if (theirs.st_dev, theirs.st_ino) != (ours.st_dev, ours.st_ino):
        raise SeclatchError(
            f"{resolved} is not the root of process {_FIRST}: not the running host's", remedy=remedy
        )
    return HostRoot(resolved, _FIRST)
