"""Check whether this process may run a container."""

from __future__ import annotations

import os
from pathlib import Path

from seclatch.errors import SeclatchError
from seclatch.system.procfs import read_status_line

_ALL_IDS = ["0", "0", "4294967295"]  # user_namespaces(7): the initial namespace's map


def require_root() -> None:
    """Raise SeclatchError unless this is root in the initial user namespace.

    Suspending seccomp needs CAP_SYS_ADMIN there (ptrace(2), PTRACE_O_SUSPEND_SECCOMP), and so do
    the container's mounts.
    """
    if os.geteuid() != 0:
        raise SeclatchError(
            "running a container needs root: suspending seccomp for the runtime takes "
            "CAP_SYS_ADMIN in the initial user namespace",
            remedy="run it with sudo, or only look at the configuration with --dry-run",
        )
    if Path("/proc/self/uid_map").read_text().split() != _ALL_IDS:
        raise SeclatchError(
            "this is root in a user namespace only (a rootless container?): suspending seccomp "
            "for the runtime takes CAP_SYS_ADMIN in the initial user namespace",
            remedy="run it as root on the host itself",
        )


def read_bounding_set() -> int:
    """Return the mask of the capabilities that this process can pass on at all."""
    return int(read_status_line("self", b"CapBnd") or b"0", 16)
