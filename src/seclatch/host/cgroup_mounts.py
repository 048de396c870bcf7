"""Check which cgroup versions this host has mounted: crun refuses hybrid hosts."""

from __future__ import annotations

from pathlib import Path

from seclatch.host.host_check import CheckState, HostCheck

_ROOT = Path("/sys/fs/cgroup")


def check_cgroups(root: Path = _ROOT) -> HostCheck:
    """Distinguish version 2 from version 1, alone or beside version 2 (hybrid)."""
    if (root / "cgroup.controllers").exists():
        return HostCheck("cgroups", CheckState.OK, "version 2")
    if not root.is_dir() or not any(root.iterdir()):
        return HostCheck(
            "cgroups",
            CheckState.NOTE,
            f"nothing mounted at {root}",
            "mount -t cgroup2 none /sys/fs/cgroup",
        )
    hybrid = any(root.glob("*/cgroup.controllers"))
    return HostCheck(
        "cgroups",
        CheckState.NOTE,
        "version 1 with version 2 beside it (hybrid)" if hybrid else "version 1",
        "crun under an engine refuses hybrid hosts: boot with systemd.unified_cgroup_hierarchy=1 "
        "(seclatch run mounts version 2 for itself)"
        if hybrid
        else "",
    )
