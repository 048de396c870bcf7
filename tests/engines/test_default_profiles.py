"""The profiles docker-default and podman-default equal those of the real engines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from seclatch.model.arch import Arch
from seclatch.model.syscall import load_syscalls
from seclatch.profile.compile.resolve_profile import Engine, Host, narrow_profile
from seclatch.profile.curated.default_profiles import load_default
from seclatch.profile.meaning import rule_meaning
from seclatch.profile.parse.load_profile import parse_profile
from tests.engines.capture import Docker, Podman, require

pytestmark = [pytest.mark.root, pytest.mark.engine]
CAPS = ("NET_RAW", "SYS_ADMIN", "SYS_CHROOT")


def verdicts(meaning: rule_meaning.ProfileMeaning) -> dict[str, Any]:
    names = load_syscalls(Arch.native()).numbers
    return {name: meaning.outcomes(name) for name in names}


def compare(captured: Any, engine: Engine) -> None:
    for caps in ((), CAPS):
        options = ["--cap-drop=ALL", *(f"--cap-add={cap}" for cap in caps)]
        real = parse_profile(json.dumps(captured.seccomp(*options)), "real")
        host = Host(Arch.native(), frozenset(f"CAP_{cap}" for cap in caps), (6, 12), engine)
        ours = narrow_profile(load_default(engine), host)
        assert set(ours.architectures) == set(real.architectures)
        assert verdicts(rule_meaning.read_meaning(ours, Arch.native())) == verdicts(
            rule_meaning.read_meaning(real, Arch.native())
        )


def test_docker(tmp_path: Path) -> None:
    require("dockerd", "docker", "runc")
    docker = Docker(tmp_path)
    try:
        docker.start()
        compare(docker, Engine.DOCKER)
    finally:
        docker.stop()


def test_podman(tmp_path: Path) -> None:
    require("podman", "runc")
    compare(Podman(tmp_path), Engine.PODMAN)
