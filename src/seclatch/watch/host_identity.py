"""Identify the host of a log, and read its clock."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime

from seclatch.model.denial_log import LoggedHost
from seclatch.system.procfs import read_file

_SIZE = 256


def identify_host() -> LoggedHost:
    """Return name, a hash of machine-id, and boot id; "" for what cannot be read.

    machine-id(5) asks that the id itself be kept confidential.
    """
    machine = read_file("/etc/machine-id", _SIZE).strip()
    digest = hashlib.sha256(b"seclatch.watch\0" + machine).hexdigest()[:32] if machine else ""
    boot = read_file("/proc/sys/kernel/random/boot_id", _SIZE).decode("ascii", "replace").strip()
    return LoggedHost(name=os.uname().nodename, id=digest, boot=boot)


def format_time(nanoseconds: int) -> str:
    """Format a time since the epoch by RFC 3339, in UTC with microseconds."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
