"""Decide how a runtime uses the host's cgroups, and what to do where they do not suit it.

crun refuses hosts that mount version 1 and 2 side by side ("cgroups in hybrid mode not supported"),
and both runtimes fail where /sys/fs/cgroup is mounted read-only or not at all (in a container, a CI
runner). The version 2 hierarchy exists in the kernel all the same: mounted over /sys/fs/cgroup in
this process's own mount namespace, it gives either runtime a real cgroup, with the eBPF guard on
devices. Controllers that the host uses in version 1 are missing there, and a container of `seclatch
run` sets no limits that would need them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from seclatch.system import mount

ROOT = Path("/sys/fs/cgroup")

# Options with which a runtime runs without any cgroup. runc has none, but for root its rootless
# mode differs only in that it ignores cgroup errors.
_WITHOUT = {"runc": ("--rootless=true",), "crun": ("--cgroup-manager=disabled",)}


class CgroupChoice(NamedTuple):
    """How to call the runtime on this host.

    `arguments`: global options of the runtime. `unified`: it sees version 2. `remount`: version 2
    must be mounted for it first. `device_control`: a cgroup controls access to devices.
    """

    arguments: tuple[str, ...]
    unified: bool
    remount: bool
    device_control: bool


def choose_cgroups(runtime: str, root: Path = ROOT) -> CgroupChoice:
    """Read `root` and choose; change nothing."""
    if (root / "cgroup.controllers").exists():  # only version 2 has it
        return CgroupChoice((), True, not os.access(root, os.W_OK), True)
    if runtime != "crun" and _version_1_writable(root):
        return CgroupChoice((), False, False, True)
    return CgroupChoice((), True, True, True)


def prepare_cgroups(runtime: str) -> CgroupChoice:
    """Choose, and mount what the choice needs; requires a mount namespace of this process's own.

    If that cannot be mounted the runtime goes without cgroups, and nothing controls devices.
    """
    chosen = choose_cgroups(runtime)
    if not chosen.remount:
        return chosen
    try:
        flags = mount.MS_NOSUID | mount.MS_NODEV | mount.MS_NOEXEC
        mount.mount("cgroup2", str(ROOT), "cgroup2", flags)
    except OSError:
        unified = (ROOT / "cgroup.controllers").exists()
        return CgroupChoice(_WITHOUT[runtime], unified, False, False)
    return chosen


def _version_1_writable(root: Path) -> bool:
    """Return whether runc can create its groups: one in each mounted hierarchy."""
    hierarchies = [entry for entry in root.glob("*") if entry.is_dir()]
    return (root / "devices").is_dir() and all(os.access(entry, os.W_OK) for entry in hierarchies)
