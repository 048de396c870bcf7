"""A host with the agent in a container; tests here need root, systemd and containerd."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.agent_host import ACCOUNT, AgentHost
from tests.agent.api_server import ApiServer
from tests.conftest import Compiler
from tests.engines.conftest import require
from tests.engines.image import make_rootfs
from tests.watch.booted_systemd import SYSTEMD, boot


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all tests here: they start engines as root."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.engine)
            item.add_marker(pytest.mark.root)


@pytest.fixture(scope="module")
def agent_host(tmp_path_factory: pytest.TempPathFactory, compiler: Compiler) -> Iterator[AgentHost]:
    require("containerd", "ctr", "runc")
    if os.geteuid() or not SYSTEMD.exists():
        (pytest.fail if os.environ.get("CI") else pytest.skip)("needs root and systemd")
    folder = tmp_path_factory.mktemp("agent")
    image_root = make_rootfs(folder / "rootfs", {"exit42": compiler("exit42")})
    (folder / "boot").mkdir()
    with boot(folder / "boot") as booted:
        api = ApiServer().start(booted.path("/run").joinpath(ACCOUNT.removeprefix("/var/run/")))
        host = AgentHost(booted, api)
        host.prepare(image_root, folder)
        yield host
        api.stop()
