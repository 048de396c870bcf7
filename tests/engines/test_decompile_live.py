"""Docker's default profile as a live daemon passes it to the runtime, decompiled."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from seclatch.filter.classic_bpf.decode import decode_filter
from seclatch.model.arch import Arch
from seclatch.model.profile.profile import Profile
from seclatch.profile.compile.compile_profile import Runtime, compile_profile
from seclatch.profile.parse.load_profile import parse_profile
from tests.engines.capture import Docker, require
from tests.oracle import round_trip

pytestmark = [pytest.mark.root, pytest.mark.engine]


@pytest.fixture(scope="module")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Docker]:
    require("dockerd", "docker", "containerd")
    engine = Docker(tmp_path_factory.mktemp("docker"))
    engine.start()
    yield engine
    engine.stop()


@pytest.mark.parametrize("options", [(), ("--cap-add=SYS_ADMIN",)], ids=["plain", "admin"])
@pytest.mark.parametrize("runtime", [Runtime.RUNC, Runtime.CRUN], ids=lambda r: r.value)
def test_dockers_default(docker: Docker, options: tuple[str, ...], runtime: Runtime) -> None:
    profile: Profile = parse_profile(json.dumps(docker.seccomp(*options)), "docker")
    code = compile_profile(profile, runtime=runtime, native=Arch.X86_64).code
    found = round_trip(decode_filter(code, "docker"), Arch.X86_64, runtime)
    (rebuilt,) = found.profiles
    assert set(rebuilt.architectures) == set(profile.architectures)
    assert rebuilt.default == profile.default
    kept = [one for one in found.kept if not one.calls.startswith("#")]
    assert kept == []
