"""A container's capabilities: Docker's default with additions and drops."""

from __future__ import annotations

from collections.abc import Iterable

from seclatch.errors import InputError
from seclatch.model.capability import CAPABILITIES

# What `docker run` grants without --cap-add and --cap-drop.
_DEFAULT_NAMES = """
    CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE
    SYS_CHROOT KILL AUDIT_WRITE
"""
DEFAULT = frozenset(f"CAP_{name}" for name in _DEFAULT_NAMES.split())


def parse_capabilities(option: str, text: str) -> frozenset[str]:
    """Parse `net_admin`, `CAP_NET_ADMIN` or `ALL`, as given to `option`. Raises InputError."""
    name = text.upper()
    if name == "ALL":
        return frozenset(CAPABILITIES)
    name = name if name.startswith("CAP_") else f"CAP_{name}"
    if name not in CAPABILITIES:
        raise InputError(
            option, "", f"there is no capability {text!r}", remedy="capabilities(7) lists them"
        )
    return frozenset({name})


def grant_capabilities(
    add: Iterable[str], drop: Iterable[str], available: frozenset[str]
) -> tuple[str, ...]:
    """Return the container's capabilities, in the kernel's order.

    As in Docker: `--cap-drop ALL --cap-add X` leaves X, `--cap-add ALL --cap-drop X` all but X.
    `ALL` means what this process can pass on at all (`available`, its bounding set). A capability
    that is requested by name is kept, so that the runtime refuses it instead of it being dropped
    silently.
    """
    added = {text: parse_capabilities("--cap-add", text) for text in add}
    dropped = {text: parse_capabilities("--cap-drop", text) for text in drop}
    all_dropped = any(text.upper() == "ALL" for text in dropped)
    chosen = set() if all_dropped else set(DEFAULT)
    for text, names in added.items():
        chosen |= names & available if text.upper() == "ALL" else names
    for text, names in dropped.items():
        chosen -= frozenset() if text.upper() == "ALL" else names
    return tuple(name for name in CAPABILITIES if name in chosen)
