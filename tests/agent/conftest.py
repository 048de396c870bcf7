"""A host with the agent in a container; tests here need root, systemd and containerd."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.agent.agent_host import AgentHost
from tests.agent.api_server import ApiServer
from tests.conftest import Compiler
from tests.engines.conftest import require
from tests.engines.image import make_rootfs
from tests.watch.booted_systemd import SYSTEMD, boot, keep_disk


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all tests here: they start engines as root."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.engine)
            item.add_marker(pytest.mark.root)


@dataclass
class Machine:
    """A disk, from which a host is booted again and again."""

    folder: Path
    disk: int
    api: ApiServer
    image_root: Path

    @contextmanager
    def boot(self, *, first: bool = False) -> Iterator[AgentHost]:
        with boot(self.folder / "boot", self.disk) as booted:
            host = AgentHost(booted, self.api)
            if first:
                host.prepare(self.image_root, self.folder)
            else:
                host.make_root()
            yield host


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory, compiler: Compiler) -> Iterator[Machine]:
    require("containerd", "ctr", "runc")
    if os.geteuid() or not SYSTEMD.exists():
        (pytest.fail if os.environ.get("CI") else pytest.skip)("needs root and systemd")
    folder = tmp_path_factory.mktemp("agent")
    image_root = make_rootfs(folder / "rootfs", {"exit42": compiler("exit42")})
    (folder / "boot").mkdir()
    api = ApiServer().start(folder / "account")
    with keep_disk(folder / "boot") as disk:
        yield Machine(folder, disk, api, image_root)
    api.stop()


@pytest.fixture(scope="module")
def agent_host(machine: Machine) -> Iterator[AgentHost]:
    with machine.boot(first=True) as host:
        yield host
