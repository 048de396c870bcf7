"""The sockets of the running Docker daemons: each daemon's own."""

from __future__ import annotations

import os

import pytest

from seclatch.process.containers import docker_containers
from tests.unit.process.scene import entry

OTHER = ("dockerd", "-H", "unix:///run/other.sock")


@pytest.mark.parametrize("order", [(7, 8), (8, 7)])
def test_each_daemon_is_queried(order: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon that listens elsewhere does not hide the one at the default path."""
    monkeypatch.setattr(docker_containers, "is_trusted", lambda _: True)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    argv = dict(zip(order, (OTHER, ("dockerd",)), strict=True))
    daemons = {pid: entry(pid, executable="dockerd", argv=argv[pid]) for pid in sorted(argv)}
    assert set(docker_containers.find_sockets(daemons)) == {
        f"/proc/{order[0]}/root/run/other.sock",
        f"/proc/{order[1]}/root/run/docker.sock",
    }
