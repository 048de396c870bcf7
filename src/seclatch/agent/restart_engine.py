"""Restart containerd by the host's systemd; running containers stay."""

from __future__ import annotations

from seclatch.agent.containerd_probe import ContainerdProbe
from seclatch.agent.run_on_host import run_on_host
from seclatch.engines.installation.host_root import HostRoot
from seclatch.errors import SeclatchError

_UNIT = "containerd.service"
_BOOTED = "/run/systemd/system"  # sd_booted(3)


def restart_containerd(root: HostRoot) -> None:
    """Restart it and wait until its CRI plugin answers. Raises SeclatchError."""
    if not root.resolve(_BOOTED).is_dir():
        raise SeclatchError(
            "restarting containerd: this host does not run systemd",
            remedy="restart it by its service manager; the next round finds it",
        )
    # After five failed starts in ten seconds systemd refuses further ones (StartLimitBurst=).
    run_on_host(root, "systemctl", "reset-failed", _UNIT, statuses=(0, 1))
    run_on_host(root, "systemctl", "restart", _UNIT)
    with ContainerdProbe(root).connect() as client:
        client.call("Version", (1, "v1"))
